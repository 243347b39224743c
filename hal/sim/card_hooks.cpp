// JSON in and out for simulated cards. Strict: a misspelt member is an error that names it, never ignored.
#include "hal/sim/card_hooks.hpp"

#include <string>
#include <utility>

#include "nightdrop/words.hpp"

namespace nightdrop::hal {
namespace {

std::unexpected<CardFieldError> wrong(std::string_view field, std::string message) {
  return std::unexpected(CardFieldError{std::string(field), std::move(message)});
}

std::expected<void, CardFieldError> set_member(OwnCard& card, JsonView member) {
  const auto key = member.key();
  const auto text = member.string();
  const auto number = member.integer();
  const auto flag = member.boolean();
  if (key == "pan" && text) {
    card.pan = *text;
  } else if (key == "exp_month" && number) {
    card.exp_month = *number;
  } else if (key == "exp_year" && number) {
    card.exp_year = *number;
  } else if (key == "service_code" && text) {
    card.service_code = *text;
  } else if (key == "cardholder_name" && text) {
    card.cardholder_name = *text;
  } else if (key == "test_card" && flag) {
    card.test_card = *flag;
  } else if (key == "read_method" && text && from_word<ReadMethod>(*text)) {
    card.read_method = *from_word<ReadMethod>(*text);
  } else if (key == "brand" && text && from_word<Brand>(*text)) {
    card.brand = from_word<Brand>(*text);
  } else {
    return wrong(key, "This is no field of a card, or not of this kind.");
  }
  return {};
}

std::string_view prompt_word(Prompt prompt) {
  switch (prompt) {
    case Prompt::InsertOrTap: return "insert_or_tap";
    case Prompt::RemoveCard: return "remove_card";
    case Prompt::TryAgain: return "try_again";
    case Prompt::EnterPin: return "enter_pin";
    case Prompt::UseChip: return "use_chip";
  }
  return "";
}

}  // namespace

std::expected<CardSpec, CardFieldError> card_from_json(JsonView card) {
  if (const auto name = card.string()) {
    const CardSpec* found = find_card(*name);
    if (found == nullptr) return wrong("card", "The catalogue has no card of this name.");
    return *found;
  }
  if (!card.is_object()) return wrong("card", "A card is a name or an object.");
  OwnCard own;
  for (const auto& member : card.items()) {
    if (auto set = set_member(own, member); !set) return std::unexpected(std::move(set.error()));
  }
  return own_card(own);
}

Json catalogue_json() {
  Json list = Json::array();
  for (const auto& card : card_catalogue()) {
    Json entry = Json::object();
    entry.set("name", card.name).set("about", card.about).set("pan", card.pan);
    entry.set("brand", word(card.brand)).set("read_method", word(card.read_method));
    list.push(std::move(entry));
  }
  return list;
}

Json reader_state_json(const SimCardReader& reader) {
  const auto state = reader.state();
  Json json = Json::object();
  json.set("open", state.open);
  json.set("last", state.prompt ? Json::string(prompt_word(*state.prompt)) : Json::null());
  json.set("card", state.card_inserted ? Json::string("inserted") : Json::null());
  json.set("waiting", state.waiting_card.empty() ? Json::null() : Json::string(state.waiting_card));
  json.set("waiting_count", state.waiting_count);
  return json;
}

SimCardHooks card_hooks(SimCardReader& reader) {
  SimCardHooks hooks;
  hooks.catalogue = [] { return catalogue_json(); };
  hooks.check = [](JsonView card) -> std::expected<void, SimFieldError> {
    auto spec = card_from_json(card);
    if (!spec) return std::unexpected(SimFieldError{std::move(spec.error().field), std::move(spec.error().message)});
    return {};
  };
  hooks.present = [&reader](JsonView card, int repeat) {
    auto spec = card_from_json(card);
    ND_ASSERT(spec.has_value());  // checked before
    CardPresentation presentation;
    presentation.repeat = repeat;
    reader.present(std::move(*spec), presentation);
  };
  hooks.remove = [&reader] { reader.remove(); };
  hooks.prompts = [&reader] { return reader_state_json(reader); };
  return hooks;
}

}  // namespace nightdrop::hal
