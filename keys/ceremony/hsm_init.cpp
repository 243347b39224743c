// `hsm init`: the HSM of a station. hsm.json is written last but for the transcript, so that a folder with one has an
// HSM that was logged in to.
#include <filesystem>

#include "keys/ceremony/room.hpp"
#include "keys/files.hpp"
#include "keys/prompt/prompt.hpp"

namespace nightdrop::keys {
namespace {

constexpr std::size_t pin_max = 255;

Outcome<SecretBytes> pin_from(const std::string& file, const std::string& whose) {
  return file.empty() ? ask_secret_twice(whose + " of the new token: ", pin_max) : read_private_file(file);
}

// The token is there after this, made now or by a run that was cut off.
Outcome<void> make_softhsm_token(const HsmSettings& settings, const HsmInitOptions& options) {
  if (auto made = make_folder(settings.softhsm_dir); !made) return made;
  const auto used = pkcs11::use_softhsm_folder(settings.softhsm_dir);
  if (!used) return refuse(settings.softhsm_dir.c_str(), used.error());
  const auto so_pin = pin_from(options.so_pin_file, "Security officer's PIN");
  if (!so_pin) return std::unexpected(so_pin.error());
  const auto pin = pin_from(options.pin_file, "PIN");
  if (!pin) return std::unexpected(pin.error());
  const auto made = pkcs11::Token::initialise(settings.where, *so_pin, *pin);
  if (made || made.error().code == Errc::Conflict) return {};  // there: the PIN is tried next
  if (made.error().code == Errc::InvalidArgument) return refuse(Exit::Data, made.error().text);
  return refuse("the new token", made.error());
}

}  // namespace

Outcome<Made> hsm_init(const CeremonyContext& context, const HsmInitOptions& options) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::absolute(context.folder).lexically_normal();
  std::error_code ignored;
  if (const auto people = people_of(context); !people) return std::unexpected(people.error());
  if (fs::exists(folder / "hsm.json", ignored) && fs::exists(folder / Transcript::file_name, ignored)) {
    return refuse(Exit::CannotCreate,
                  "conflict: " + (folder / "hsm.json").string() + " is there: this station has its HSM");
  }
  if (auto made = make_folder(folder); !made) return std::unexpected(made.error());
  HsmSettings settings;
  settings.where = {options.module.empty() ? pkcs11::softhsm_module : fs::absolute(options.module).string(),
                    options.token_label};
  if (!options.pin_file.empty()) settings.pin_file = fs::absolute(options.pin_file).lexically_normal().string();
  if (options.module.empty()) {
    settings.softhsm_dir = (folder / "tokens").string();
    if (auto made = make_softhsm_token(settings, options); !made) return std::unexpected(made.error());
    context.at("token made");
  }
  {
    const auto tried = Hsm::open(settings);
    if (!tried) return std::unexpected(tried.error());
  }
  if (auto saved = save_hsm_settings(folder.string(), settings); !saved) return std::unexpected(saved.error());
  context.at("hsm.json written");
  auto room = Room::enter(context);
  if (!room) return std::unexpected(room.error());
  const std::string token = room->token().description();
  const auto written = room->write_down({"HSM chosen",
                                         {{"token", options.token_label},
                                          {"HSM", token},
                                          {"PIN", options.pin_file.empty() ? "asked for each time" : "from a file"}}});
  if (!written) return std::unexpected(written.error());
  Made made;
  made.text = "HSM:   " + token + "\nToken: " + options.token_label + "\nNext:  ceremony init\n";
  made.json.set("token", options.token_label).set("hsm", token).set("softhsm", options.module.empty());
  return Outcome<Made>(std::move(made));
}

}  // namespace nightdrop::keys
