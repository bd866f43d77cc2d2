// mortem image create
#include <fmt/format.h>

#include <memory>

#include "tools/image/config_file.h"
#include "tools/image/image_builder.h"
#include "tools/image/packing_options.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/qemu/dump_collector.h"
#include "tools/verbs.h"

namespace mortem::tools {

namespace {

struct CreateOptions {
  std::string source, output, format = "raw", memory;
  uint32_t slots = 0;
  bool force = false, json = false;
  PackingOptions packing;
};

// An image that holds a dump is all there is of a crash.
Result<void> check_replaceable(const std::filesystem::path& output) {
  const auto dump = find_unpulled_dump(output);
  if (!dump) return {};
  return failure(
      ErrorKind::BadInput,
      fmt::format("{0}: is an image whose slot {1} holds a dump: pull it first (mortem pull {2} --slot {1} "
                  "--release{3}), or --force to lose it",
                  output.string(), dump->index, shell_quoted(output.string()), dump->has_dump() ? "" : " --force"));
}

Result<ImageFacts> create(const CreateOptions& options) {
  if (options.format != "raw") {
    const bool planned =
        options.format == "qcow2" || options.format == "vmdk" || options.format == "vhd" || options.format == "gcp";
    return failure(ErrorKind::Unsupported,
                   planned
                       ? fmt::format("--format {}: only raw images can be made so far", options.format)
                       : fmt::format("--format {}: not a format of images; raw is the one", printable(options.format)));
  }
  ImageRequest request = TRY(request_for(find_source(options.source), options.packing));
  if (!options.memory.empty()) request.memory = TRY(parse_memory(options.memory, "--memory"));
  if (options.slots) request.slots = options.slots;
  if (request.slots < 2 || request.slots > 64)
    return failure(ErrorKind::BadInput, fmt::format("--slots {}: from 2 to 64", request.slots));
  const std::filesystem::path output =
      options.output.empty() ? request.program.filename().string() + ".img" : options.output;
  if (!options.force) TRY_VOID(check_replaceable(output));
  for (const std::string& line : request.notes) note(line);
  return build_image(request, output);
}

int run_create(const CreateOptions& options) {
  catch_interrupts();
  auto facts = create(options);
  if (!facts) return fail(facts.error());
  if (options.json) {
    auto modules = nlohmann::ordered_json::array();
    for (const ModuleFacts& module : facts->modules) {
      nlohmann::ordered_json one = {{"path", printable(module.guest)}, {"build_id", module.id}};
      if (!module.debug.empty()) one["debug_file"] = printable(module.debug.string());
      modules.push_back(std::move(one));
    }
    print_json("image-create", {{"image", printable(facts->path.string())},
                                {"format", "raw"},
                                {"bytes", facts->size},
                                {"allocated_bytes", facts->allocated},
                                {"root_bytes", facts->root_size},
                                {"slots", facts->slots},
                                {"slot_bytes", facts->slot_size},
                                {"program_id", facts->program_id},
                                {"modules", modules}});
    return kDone;
  }
  write_stdout(fmt::format("{}: {} on disk ({} apparent), {} dump slots of {}\nrun it: mortem run {}\n",
                           facts->path.string(), human_size(facts->allocated), human_size(facts->size), facts->slots,
                           human_size(facts->slot_size), shell_quoted(facts->path.string())));
  return kDone;
}

void add_image(Commands& commands) {
  CLI::App* image =
      commands.add(nullptr, "image", "Bootable disk images: create",
                   "Example:\n  mortem image create ./server -o server.img --file server.conf:/etc/server.conf");
  image->require_subcommand(0, 1);
  CLI::App* verb = commands.add(
      image, "create", "Pack a program and its files into a bootable image",
      "PROGRAM stands at /bin/NAME in the guest, or at its own path if that is below /usr or /opt; the shared\n"
      "libraries it needs are found and packed. Files it opens later are yours to name:\n"
      "--dir /usr/lib/python3.11, --file /etc/ssl/certs/ca-certificates.crt, --file /etc/localtime.\n"
      "CONFIG.json takes the keys Program, Args, Env, Files, Dirs, MapDirs, BaseVolumeSz, DumpOnExit, OnExec, "
      "OnFault,\n"
      "NewCode, User, NameServers and RunConfig.{Memory,Ports,UDPPorts,IPAddress,NetMask,Gateway,MTU}; its paths are\n"
      "relative to its folder.\n"
      "Examples:\n"
      "  mortem image create ./server -o server.img --file server.conf:/etc/server.conf -- --port 80\n"
      "  mortem image create server.json --memory 1G --slots 4");
  auto options = std::make_shared<CreateOptions>();
  verb->add_option("SOURCE", options->source, "PROGRAM (an x86-64 Linux ELF file, or its name in PATH) or CONFIG.json")
      ->required();
  verb->add_option("-o,--output", options->output,
                   "File to write; an image without dumps is replaced (default: NAME.img)");
  verb->add_flag("--force", options->force, "Replace FILE even if it is an image that holds dumps");
  verb->add_option("--format", options->format, "raw")->capture_default_str();
  verb->add_option("--memory", options->memory, "Memory of the guest, for which the slots are made (default: 256M)");
  verb->add_option("--slots", options->slots, "Dump slots: how many crashes fit before one is pulled (default: 2)");
  add_packing_options(verb, options->packing);
  verb->add_flag("--json", options->json, "Print facts as JSON");
  commands.take_arguments_after_dashes(verb, &options->packing.arguments);
  commands.on(verb, [options] { return run_create(*options); });
}

const VerbRegistration image_registration{10, {"image"}, add_image};

}  // namespace

}  // namespace mortem::tools
