// `hsm init`: the HSM of a station. hsm.json is written last but for the transcript, so that a folder with one has an
// HSM that was logged in to.
#include <filesystem>

#include "keys/ceremony/room.hpp"
#include "keys/files.hpp"
#include "keys/prompt/prompt.hpp"

namespace nightdrop::keys {
namespace {

constexpr std::size_t pin_max = 255;

Outcome<SecretBytes> user_pin(const HsmInitOptions& options) {
  if (!options.pin_file.empty()) return read_private_file(options.pin_file);
  const std::string prompt = "PIN of the token '" + options.token_label + "': ";
  return options.module.empty() ? ask_secret_twice(prompt, pin_max) : ask_secret(prompt, pin_max);
}

// The token is there after this, made now or by a run that was cut off. Gives the PIN.
Outcome<SecretBytes> make_softhsm_token(const HsmSettings& settings, const HsmInitOptions& options) {
  if (auto made = make_folder(settings.softhsm_dir); !made) return std::unexpected(made.error());
  const auto used = pkcs11::use_softhsm_folder(settings.softhsm_dir);
  if (!used) return refuse(settings.softhsm_dir.c_str(), used.error());
  const auto so_pin = options.so_pin_file.empty()
                          ? ask_secret_twice("Security officer's PIN of the new token: ", pin_max)
                          : read_private_file(options.so_pin_file);
  if (!so_pin) return std::unexpected(so_pin.error());
  auto pin = user_pin(options);
  if (!pin) return pin;
  const auto made = pkcs11::Token::initialise(settings.where, *so_pin, *pin);
  if (made || made.error().code == Errc::Conflict) return pin;  // there: the PIN is tried next
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
  auto lock = FolderLock::take(folder);
  if (!lock) return std::unexpected(lock.error());
  HsmSettings settings;
  settings.where = {options.module.empty() ? pkcs11::softhsm_module : fs::absolute(options.module).string(),
                    options.token_label};
  if (!options.pin_file.empty()) settings.pin_file = fs::absolute(options.pin_file).lexically_normal().string();
  if (options.module.empty()) settings.softhsm_dir = (folder / "tokens").string();
  const auto pin = options.module.empty() ? make_softhsm_token(settings, options) : user_pin(options);
  if (!pin) return std::unexpected(pin.error());
  context.at("token made");
  auto hsm = Hsm::open(settings, *pin);
  if (!hsm) return std::unexpected(hsm.error());
  if (auto saved = save_hsm_settings(folder.string(), settings); !saved) return std::unexpected(saved.error());
  context.at("hsm.json written");
  auto room = Room::enter(context, std::move(*lock), std::move(*hsm));
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
