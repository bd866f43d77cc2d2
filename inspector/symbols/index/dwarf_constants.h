// The numbers of DWARF 5, chapter 7, that the reader meets, and those of GNU and earlier versions.
#pragma once

#include <cstdint>

namespace mortem::inspector::index {

namespace tag {
inline constexpr uint16_t kArrayType = 0x01, kClassType = 0x02, kEnumerationType = 0x04, kFormalParameter = 0x05,
                          kPointerType = 0x0F, kReferenceType = 0x10, kStructureType = 0x13, kSubroutineType = 0x15,
                          kUnionType = 0x17, kInlinedSubroutine = 0x1D, kPointerToMemberType = 0x1F,
                          kSubrangeType = 0x21, kSubprogram = 0x2E, kVariable = 0x34, kInterfaceType = 0x38,
                          kRvalueReferenceType = 0x42, kCallSite = 0x48, kGnuCallSite = 0x4109;
}

namespace attribute {
inline constexpr uint16_t kSibling = 0x01, kLocation = 0x02, kName = 0x03, kByteSize = 0x0B, kStmtList = 0x10,
                          kLowPc = 0x11, kHighPc = 0x12, kLanguage = 0x13, kCompDir = 0x1B, kConstValue = 0x1C,
                          kLowerBound = 0x22, kUpperBound = 0x2F, kAbstractOrigin = 0x31, kCount = 0x37,
                          kDeclFile = 0x3A, kDeclLine = 0x3B, kFrameBase = 0x40, kSpecification = 0x47, kType = 0x49,
                          kEntryPc = 0x52, kRanges = 0x55, kCallColumn = 0x57, kCallFile = 0x58, kCallLine = 0x59,
                          kDeclaration = 0x3C, kSignature = 0x69, kLinkageName = 0x6E, kStrOffsetsBase = 0x72,
                          kAddrBase = 0x73, kRnglistsBase = 0x74, kDwoName = 0x76, kCallAllCalls = 0x7A,
                          kCallAllTailCalls = 0x7C, kCallReturnPc = 0x7D, kCallOrigin = 0x7F, kCallTailCall = 0x82,
                          kCallTarget = 0x83, kLoclistsBase = 0x8C, kMipsLinkageName = 0x2007,
                          kGnuCallSiteTarget = 0x2113, kGnuTailCall = 0x2115, kGnuAllTailCallSites = 0x2116,
                          kGnuAllCallSites = 0x2117, kGnuDwoName = 0x2130, kGnuDwoId = 0x2131, kGnuRangesBase = 0x2132,
                          kGnuAddrBase = 0x2133, kGnuDiscriminator = 0x2136, kLlvmTagOffset = 0x3E03;
}

namespace form {
inline constexpr uint16_t kAddr = 0x01, kBlock2 = 0x03, kBlock4 = 0x04, kData2 = 0x05, kData4 = 0x06, kData8 = 0x07,
                          kString = 0x08, kBlock = 0x09, kBlock1 = 0x0A, kData1 = 0x0B, kFlag = 0x0C, kSdata = 0x0D,
                          kStrp = 0x0E, kUdata = 0x0F, kRefAddr = 0x10, kRef1 = 0x11, kRef2 = 0x12, kRef4 = 0x13,
                          kRef8 = 0x14, kRefUdata = 0x15, kIndirect = 0x16, kSecOffset = 0x17, kExprloc = 0x18,
                          kFlagPresent = 0x19, kStrx = 0x1A, kAddrx = 0x1B, kRefSup4 = 0x1C, kStrpSup = 0x1D,
                          kData16 = 0x1E, kLineStrp = 0x1F, kRefSig8 = 0x20, kImplicitConst = 0x21, kLoclistx = 0x22,
                          kRnglistx = 0x23, kRefSup8 = 0x24, kStrx1 = 0x25, kStrx2 = 0x26, kStrx3 = 0x27, kStrx4 = 0x28,
                          kAddrx1 = 0x29, kAddrx2 = 0x2A, kAddrx3 = 0x2B, kAddrx4 = 0x2C, kGnuAddrIndex = 0x1F01,
                          kGnuStrIndex = 0x1F02, kGnuRefAlt = 0x1F20, kGnuStrpAlt = 0x1F21;
}

namespace language {
inline constexpr uint64_t kC89 = 0x01, kC = 0x02, kC99 = 0x0C, kC11 = 0x1D, kC17 = 0x2C;
}

}  // namespace mortem::inspector::index
