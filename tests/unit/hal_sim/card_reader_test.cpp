// The interaction itself: prompts and events in order, the one waiting card, cancel and removal between any two steps,
// and the port's promise that nothing is called from inside start() or cancel().
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "card_bench.hpp"
#include "emv/tlv.hpp"
#include "hal/sim/card_hooks.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::hal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> heard(std::string_view name) {
  CardBench bench;
  static_cast<void>(bench.meet(*find_card(name)));
  return bench.heard;
}

CardFailure failure_of(const CardBench& bench) {
  return std::get<CardFailed>(*bench.outcome).reason;
}
std::string last4_of(const CardBench& bench) {
  return std::get<CardData>(*bench.outcome).summary.last4;
}
CardPresentation times(int repeat) {
  return {repeat, false};
}

TEST(SimCardReader, TellsTheStoryOfEachWayToRead) {
  EXPECT_THAT(heard("visa_contactless"), ElementsAre("insert_or_tap", "outcome"));
  EXPECT_THAT(heard("visa_wallet"), ElementsAre("insert_or_tap", "outcome"));
  EXPECT_THAT(heard("visa_swipe"), ElementsAre("insert_or_tap", "outcome"));
  EXPECT_THAT(heard("visa_keyed"), ElementsAre("insert_or_tap", "outcome"));
  EXPECT_THAT(heard("visa_contact"), ElementsAre("insert_or_tap", "inserted", "remove_card", "removed", "outcome"));
  EXPECT_THAT(heard("visa_chip_refuses"),
              ElementsAre("insert_or_tap", "inserted", "remove_card", "removed", "outcome"));
  EXPECT_THAT(heard("visa_online_pin"),
              ElementsAre("insert_or_tap", "inserted", "enter_pin", "remove_card", "removed", "outcome"));
  EXPECT_THAT(heard("visa_offline_pin"),
              ElementsAre("insert_or_tap", "inserted", "enter_pin", "remove_card", "removed", "outcome"));
  EXPECT_THAT(heard("visa_removed_early"), ElementsAre("insert_or_tap", "inserted", "removed", "outcome"));
  EXPECT_THAT(heard("visa_fallback"),
              ElementsAre("insert_or_tap", "inserted", "remove_card", "removed", "try_again", "outcome"));
}

TEST(SimCardReader, NothingIsHeardInsideACall) {
  CardBench bench;
  bench.reader.present(*find_card("visa_contactless"));
  bench.start();
  EXPECT_THAT(bench.heard, IsEmpty());
  bench.reader.cancel();
  EXPECT_THAT(bench.heard, IsEmpty());
  bench.run();
  EXPECT_THAT(bench.heard, ElementsAre("outcome"));
  EXPECT_EQ(failure_of(bench), CardFailure::Canceled);
}

TEST(SimCardReader, CardMayComeBeforeOrAfterThePrompt) {
  CardBench bench;
  ASSERT_TRUE(bench.reader.present("visa_contactless").has_value());
  bench.run();
  EXPECT_THAT(bench.heard, IsEmpty());
  EXPECT_EQ(bench.reader.state().waiting_card, "visa_contactless");
  bench.start();
  bench.run();
  EXPECT_EQ(last4_of(bench), "4242");
  EXPECT_EQ(bench.reader.state().waiting_card, "");
  bench.start();
  bench.run();
  EXPECT_EQ(bench.outcomes, 1);
  EXPECT_EQ(bench.reader.state().prompt, Prompt::InsertOrTap);
  ASSERT_TRUE(bench.reader.present("mastercard_contactless").has_value());
  EXPECT_EQ(bench.outcomes, 1);
  bench.run();
  EXPECT_EQ(last4_of(bench), "4444");
  EXPECT_FALSE(bench.reader.state().open);
  EXPECT_FALSE(bench.reader.present("nobody").has_value());
}

TEST(SimCardReader, NewCardTakesThePlaceOfTheWaitingOne) {
  CardBench bench;
  ASSERT_TRUE(bench.reader.present("visa_contactless", times(5)).has_value());
  ASSERT_TRUE(bench.reader.present("mastercard_contactless").has_value());
  bench.start();
  bench.run();
  EXPECT_EQ(last4_of(bench), "4444");
  bench.start();
  bench.run();
  EXPECT_EQ(bench.outcomes, 1);
}

TEST(SimCardReader, CardPresentedDuringAReadWaitsForTheNext) {
  CardBench bench;
  ASSERT_TRUE(bench.reader.present("visa_contact").has_value());
  bench.start();
  bench.run_until("inserted");
  ASSERT_TRUE(bench.reader.present("mastercard_contactless").has_value());
  bench.run();
  EXPECT_EQ(last4_of(bench), "0119");
  EXPECT_EQ(bench.reader.state().waiting_card, "mastercard_contactless");
}

TEST(SimCardReader, RepeatServesThatManyInteractionsAndTheCounterGoesUp) {
  CardBench bench;
  ASSERT_TRUE(bench.reader.present("visa_contactless", times(3)).has_value());
  std::vector<std::string> cryptograms;
  bench.on_outcome = [&] {
    cryptograms.push_back(std::get<CardData>(*bench.outcome).summary.application_cryptogram);
    bench.start();  // from inside the outcome: the former interaction is over
  };
  bench.start();
  bench.run();
  EXPECT_EQ(bench.outcomes, 3);
  EXPECT_NE(cryptograms[0], cryptograms[1]);
  EXPECT_EQ(hex_upper(emv::find_tlv(std::get<CardData>(*bench.outcome).emv, 0x9F36).value()), "0003");
  EXPECT_TRUE(bench.reader.state().open);
}

TEST(SimCardReader, ReadMethodThatIsNotAllowedIsRefused) {
  for (const auto* name :
       {"visa_contact", "visa_contactless", "visa_swipe", "visa_fallback", "visa_keyed", "visa_online_pin"}) {
    CardBench bench;
    const auto& card = *find_card(name);
    bench.request.allowed[static_cast<std::size_t>(card.read_method)] = false;
    const auto outcome = bench.meet(card);
    ASSERT_TRUE(std::holds_alternative<CardRefused>(outcome)) << name;
    EXPECT_EQ(std::get<CardRefused>(outcome).reason, CardRefusal::EntryNotAllowed) << name;
    EXPECT_EQ(std::get<CardRefused>(outcome).summary.read_method, card.read_method);
    EXPECT_THAT(bench.heard, ::testing::Not(::testing::Contains("enter_pin"))) << name;
  }
}

TEST(SimCardReader, SwipedChipCardIsSentToTheChip) {
  OwnCard described;
  described.pan = "4242424242424242";
  described.read_method = ReadMethod::MagneticStripeTrack2;
  described.service_code = "201";
  CardBench bench;
  bench.start();
  bench.reader.present(own_card(described).value());
  bench.run();
  EXPECT_THAT(bench.heard, ElementsAre("insert_or_tap", "use_chip"));
  ASSERT_TRUE(bench.reader.present("visa_contact").has_value());
  bench.run();
  EXPECT_THAT(bench.heard, ElementsAre("insert_or_tap", "use_chip", "inserted", "remove_card", "removed", "outcome"));
  EXPECT_TRUE(std::holds_alternative<CardData>(*bench.outcome));
}

TEST(SimCardReader, CancelEndsItAtEveryStepAndOnce) {
  for (int turns = 0; turns <= 6; ++turns) {
    CardBench bench;
    ASSERT_TRUE(bench.reader.present("visa_online_pin").has_value());
    bench.start();
    for (int i = 0; i < turns; ++i) bench.turn();
    const bool over = bench.outcomes == 1;
    bench.reader.cancel();
    bench.run();
    EXPECT_EQ(bench.outcomes, 1) << turns;
    EXPECT_EQ(std::holds_alternative<CardData>(*bench.outcome), over) << turns;
    if (!over) {
      EXPECT_EQ(failure_of(bench), CardFailure::Canceled);
    }
    EXPECT_EQ(std::ranges::count(bench.heard, "inserted"), std::ranges::count(bench.heard, "removed")) << turns;
    EXPECT_EQ(bench.heard.back(), "outcome");
    bench.reader.remove();  // a card that was not met yet still waits
    bench.reader.cancel();  // nothing to cancel
    bench.start();
    bench.run();
    EXPECT_EQ(bench.outcomes, 1) << "a late cancel must not end the next interaction";
  }
}

TEST(SimCardReader, CanceledPromptLeavesTheWaitingCardOut) {
  CardBench bench;
  bench.start();
  bench.run();
  bench.reader.cancel();
  bench.run();
  EXPECT_EQ(failure_of(bench), CardFailure::Canceled);
  EXPECT_FALSE(bench.reader.state().open);
  EXPECT_FALSE(bench.reader.state().prompt.has_value());
}

TEST(SimCardReader, CardTakenOutBeforeItWasReadFails) {
  CardBench bench;
  ASSERT_TRUE(bench.reader.present("visa_offline_pin").has_value());
  bench.start();
  bench.run_until("enter_pin");
  EXPECT_TRUE(bench.reader.state().card_inserted);
  bench.reader.remove();
  bench.run();
  EXPECT_THAT(bench.heard, ElementsAre("insert_or_tap", "inserted", "enter_pin", "removed", "outcome"));
  EXPECT_EQ(failure_of(bench), CardFailure::Removed);
}

TEST(SimCardReader, CardLeftInIsWaitedFor) {
  CardBench bench;
  ASSERT_TRUE(bench.reader.present("visa_contact", {1, true}).has_value());
  bench.start();
  bench.run();
  EXPECT_THAT(bench.heard, ElementsAre("insert_or_tap", "inserted", "remove_card"));
  EXPECT_EQ(bench.reader.state().prompt, Prompt::RemoveCard);
  bench.reader.remove();
  bench.run();
  EXPECT_THAT(bench.heard, ElementsAre("insert_or_tap", "inserted", "remove_card", "removed", "outcome"));
  EXPECT_EQ(last4_of(bench), "0119");
}

TEST(SimCardReader, RemoveTakesBackAWaitingCard) {
  CardBench bench;
  ASSERT_TRUE(bench.reader.present("visa_contactless").has_value());
  bench.reader.remove();
  bench.start();
  bench.run();
  EXPECT_EQ(bench.outcomes, 0);
}

TEST(SimCardReader, NoEntropyIsAFailedRead) {
  CardBench bench;
  bench.entropy.failing = true;
  const auto outcome = bench.meet(*find_card("visa_contact"));
  EXPECT_EQ(std::get<CardFailed>(outcome).reason, CardFailure::Unreadable);
}

TEST(SimCardReader, PostedCallsOutliveTheReader) {
  std::deque<std::function<void()>> posted;
  CountingEntropy entropy;
  CardBench listener;
  {
    SimCardReader reader(
        entropy, [&posted](std::function<void()> call) { posted.push_back(std::move(call)); }, "ND000001");
    reader.start(CardRequest{}, listener);
  }
  ASSERT_EQ(posted.size(), 1U);
  posted.front()();
  EXPECT_THAT(listener.heard, IsEmpty());
}

TEST(CardHooks, ReachTheReader) {
  CardBench bench;
  const auto hooks = card_hooks(bench.reader);
  const auto json = Json::parse(R"({"card":"visa_contact","bad":{"pan":"1"}})");
  EXPECT_TRUE(hooks.check((*json)["card"]).has_value());
  EXPECT_EQ(hooks.check((*json)["bad"]).error().field, "pan");
  hooks.present((*json)["card"], 2);
  EXPECT_EQ(hooks.prompts().dump(),
            R"({"open":false,"last":null,"card":null,"waiting":"visa_contact","waiting_count":2})");
  bench.start();
  bench.run_until("inserted");
  EXPECT_EQ(hooks.prompts().dump(),
            R"({"open":true,"last":"insert_or_tap","card":"inserted","waiting":"visa_contact","waiting_count":1})");
  hooks.remove();
  bench.run();
  EXPECT_EQ(failure_of(bench), CardFailure::Removed);
  EXPECT_EQ(hooks.catalogue().view().size(), card_catalogue().size());
}

}  // namespace
}  // namespace nightdrop::hal
