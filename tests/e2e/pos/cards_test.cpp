// Each card of the catalogue, offline and online: docs/pos_protocol.md, "Errors", against RULES 11 to 15. A table row
// is a card and the word its payment ends in.
#include <gtest/gtest.h>

#include "e2e/harness.hpp"

namespace nightdrop::e2e {
namespace {

struct Row {
  std::string card;
  std::string word;
  std::string holds{"{}"};
};

const std::vector<std::string> offline_brands{"visa", "mastercard", "amex",   "discover",        "unionpay",
                                              "jcb",  "maestro",    "eftpos", "cartes_bancaires"};
const std::vector<std::string> other_brands{"girocard", "interac", "nyce", "pulse", "star"};

std::vector<Row> offline_rows() {
  std::vector<Row> rows{
      {"visa_swipe", "entry_mode_not_allowed_offline"},
      {"visa_fallback", "entry_mode_not_allowed_offline"},
      {"visa_keyed", "entry_mode_not_allowed_offline"},
      {"visa_expired", "offline_and_card_expired"},
      {"visa_chip_refuses", "card_declined_offline"},
      {"visa_online_pin", "online_pin_not_supported_offline"},
      {"visa_removed_early", "card_removed"},
      {"visa_offline_pin", "stored", R"({"payment_method":{"read_method":"contact_emv"}})"},
      {"visa_wallet", "stored", R"({"payment_method":{"read_method":"contactless_emv"}})"},
      {"cobadged_visa", "stored",
       R"({"payment_method":{"brand":"visa"}})"},  // "co-badged cards by the international scheme"
      {"visa_live", "stored"},
      {"visa_decline_51", "stored"},
  };
  for (const std::string& brand : offline_brands) {
    rows.push_back({brand + "_contact", "stored",
                    R"({"payment_method":{"read_method":"contact_emv","brand":")" + brand + R"("}})"});
    rows.push_back({brand + "_contactless", "stored",
                    R"({"payment_method":{"read_method":"contactless_emv","brand":")" + brand + R"("}})"});
  }
  for (const std::string& brand : other_brands) {
    rows.push_back({brand + "_contact", "offline_brand_not_allowed"});
    rows.push_back({brand + "_contactless", "offline_brand_not_allowed"});
  }
  return rows;
}

// "A refused card leaves the intent at `requires_payment_method`; each refusal is in the journal"; "Any refusal or
// failure after the card was read discards the card data"; the card may be presented again under the same id.
TEST(Cards, OfflineEachEndsAsTheRulesSay) {
  World world;
  world.offline();
  std::vector<std::pair<std::string, std::string>> refused;
  std::vector<std::string> stored;
  for (const Row& row : offline_rows()) {
    const Answer answer = world.pay(100, row.card);
    EXPECT_WORD(answer, row.word) << row.card;
    EXPECT_HOLDS(answer, row.holds);
    if (answer.ok()) {
      stored.push_back(answer.id());
      continue;
    }
    EXPECT_HOLDS(
        answer,
        R"({"code":-32000,"data":{"payment_intent":{"status":"requires_payment_method","payment_method":null,"offline":null}}})");
    refused.emplace_back(*answer.payment()["id"].string(), row.word);
  }
  // Another card pays what the first could not.
  for (const auto& [id, word] : refused) EXPECT_WORD(world.process(id, new_card()), "stored");
  const std::string journal = run("nightdrop", {"--config", world.path("nightdrop.json"), "audit", "export"}).out;
  for (const auto& [id, word] : refused) {
    EXPECT_NE(journal.find(R"(\"code\":\")" + word), std::string::npos) << word << " is not in the journal";
  }
  world.online();
  world.await_drained();
  for (const std::string& id : stored) EXPECT_NE(world.posted(id), -1);
  for (const auto& [id, word] : refused) EXPECT_EQ(world.posted(id), 1);
}

// Online every entry mode and brand is the acquirer's to judge; what the chip says counts everywhere (RULES 15).
TEST(Cards, OnlineTheAcquirerDecides) {
  World world;
  world.online();
  std::vector<Row> rows{
      {"visa_swipe", "succeeded", R"({"payment_method":{"read_method":"magnetic_stripe_track2"}})"},
      {"visa_fallback", "succeeded", R"({"payment_method":{"read_method":"magnetic_stripe_fallback"}})"},
      {"visa_keyed", "succeeded", R"({"payment_method":{"read_method":"keyed"}})"},
      {"visa_expired", "succeeded"},
      {"visa_chip_refuses", "card_declined_offline"},
      {"visa_online_pin", "succeeded"},
      {"visa_offline_pin", "succeeded"},
      {"visa_removed_early", "card_removed"},
      {"visa_wallet", "succeeded"},
      {"cobadged_visa", "succeeded"},
      {"visa_live", "succeeded"},
  };
  for (const std::vector<std::string>& brands : {offline_brands, other_brands}) {
    for (const std::string& brand : brands) rows.push_back({brand + "_contact", "succeeded"});
  }
  for (const char* code : {"05", "14", "41", "43", "51", "54", "61", "62", "65", "91", "96"}) {
    rows.push_back({std::string("visa_decline_") + code, "declined",
                    std::string(R"({"decline":{"response_code":")") + code + R"("}})"});
  }
  for (const Row& row : rows) {
    const Answer answer = world.pay(100, row.card);
    EXPECT_WORD(answer, row.word) << row.card;
    EXPECT_HOLDS(answer, row.holds);
    if (row.word == "succeeded") {
      EXPECT_EQ(world.posted(answer.id()), 1);
    }
  }
  EXPECT_HOLDS(world.stats(), R"({"twice":0})");
}

// RULES 19: "'never again' codes are final": a hard category; others may be tried again under the policy.
TEST(Cards, DeclinesSayWhetherTheyAreFinal) {
  World world;
  world.offline();
  std::vector<std::pair<std::string, std::string>> paid;
  for (const char* code : {"05", "14", "41", "43", "51"}) {
    const Answer stored = world.pay(100, std::string("visa_decline_") + code);
    ASSERT_EQ(stored.word(), "stored");
    paid.emplace_back(stored.id(), code);
  }
  world.online();
  for (const auto& [id, code] : paid) {
    const Answer declined = world.await_status(id, "declined");
    EXPECT_HOLDS(declined, R"({"authorization":null,"decline":{"retry_at":null,"response_code":")" + code + R"("}})");
    const bool hard = code == "14" || code == "41" || code == "43";
    EXPECT_EQ(declined["decline"]["category"].string(), hard ? "hard" : "soft") << code;
  }
}

// "`test_card_in_livemode`": refused online and offline; a live card is taken.
TEST(Cards, TestCardsInLiveMode) {
  World world(WorldOptions{.policy = R"({"livemode":true})"});
  EXPECT_HOLDS(world.call("get_reader"), R"({"livemode":true})");
  world.online();
  EXPECT_WORD(world.pay(100, "visa_contact"), "test_card_in_livemode");
  EXPECT_WORD(world.pay(100, "visa_live"), "succeeded");
  world.offline();
  EXPECT_WORD(world.pay(100, "visa_contact"), "test_card_in_livemode");
  EXPECT_WORD(world.pay(100, "visa_live"), "stored");
}

// "`collect_payment_method`: waits for the card"; "`confirm_payment_intent`: after the answer or the durable store";
// "`requires_confirmation`: a card was read; leaves by confirm, cancel".
TEST(Cards, CollectThenConfirm) {
  World world;
  for (const bool online : {true, false}) {
    online ? world.online() : world.offline();
    const std::string id = world.create(450);
    world.present("visa_contact");
    const Answer collected = world.call("collect_payment_method", R"({"id":")" + id + R"("})");
    EXPECT_HOLDS(collected, R"({"status":"requires_confirmation","payment_method":{"last4":"0119","brand":"visa"}})");
    EXPECT_WORD(world.call("collect_payment_method", R"({"id":")" + id + R"("})"), "unexpected_state");
    const Answer confirmed = world.call("confirm_payment_intent", R"({"id":")" + id + R"("})");
    EXPECT_WORD(confirmed, online ? "succeeded" : "stored");
    EXPECT_EQ(world.status(id), confirmed.word());
  }
  const std::string given_up = world.create(450);
  world.present(new_card());
  ASSERT_EQ(world.call("collect_payment_method", R"({"id":")" + given_up + R"("})").word(), "requires_confirmation");
  EXPECT_WORD(world.call("cancel_payment_intent", R"({"id":")" + given_up + R"("})"), "canceled");
  world.online();
  world.await_drained();
  EXPECT_EQ(world.posted(given_up), -1);
}

// "It is `card_removed`" when the card is taken away while it is read; the POS sees the prompts (seq 0).
TEST(Cards, PromptsAreToldAsTheyHappen) {
  World world;
  world.online();
  Rpc events = world.connect();
  (void)events.call("subscribe", R"({"consumer":"till"})");
  const std::string id = world.create(100);
  Rpc counter = world.connect();
  const auto waiting = counter.begin("process_payment_intent", R"({"id":")" + id + R"("})");
  const Json prompt = events.event("reader.action_required");
  EXPECT_EQ(prompt["seq"].integer(), 0);
  EXPECT_NE(prompt["data"].dump().find("insert_or_tap"), std::string::npos) << prompt.dump();
  world.present("visa_fallback");
  EXPECT_EQ(events.event("reader.card_inserted")["seq"].integer(), 0);
  EXPECT_EQ(events.event("reader.card_removed")["seq"].integer(), 0);
  EXPECT_WORD(counter.wait(waiting), "succeeded");

  const auto pin = counter.begin("process_payment_intent", R"({"id":")" + world.create(100) + R"("})");
  world.present("visa_online_pin");
  bool asked = false;
  while (!asked) asked = events.event("reader.action_required").dump().find("enter_pin") != std::string::npos;
  EXPECT_WORD(counter.wait(pin), "succeeded");
}

}  // namespace
}  // namespace nightdrop::e2e
