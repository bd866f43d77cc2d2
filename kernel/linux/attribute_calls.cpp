// Extended attributes: no file system here has any (xattr(7): ENOTSUP).
#include "kernel/linux/calls.h"

namespace kernel::linux {

MORTEM_CALL(getxattr) { return Error::NotSupported; }
MORTEM_CALL(lgetxattr) { return Error::NotSupported; }
MORTEM_CALL(fgetxattr) { return Error::NotSupported; }
MORTEM_CALL(setxattr) { return Error::NotSupported; }
MORTEM_CALL(lsetxattr) { return Error::NotSupported; }
MORTEM_CALL(fsetxattr) { return Error::NotSupported; }
MORTEM_CALL(listxattr) { return Error::NotSupported; }
MORTEM_CALL(llistxattr) { return Error::NotSupported; }
MORTEM_CALL(flistxattr) { return Error::NotSupported; }
MORTEM_CALL(removexattr) { return Error::NotSupported; }
MORTEM_CALL(lremovexattr) { return Error::NotSupported; }
MORTEM_CALL(fremovexattr) { return Error::NotSupported; }

}  // namespace kernel::linux
