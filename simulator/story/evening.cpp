// The evening up to the moment when the line comes back; the rest is in aftermath.cpp.
#include "simulator/story/evening.hpp"

#include <chrono>
#include <map>
#include <utility>

#include "report/currency.hpp"
#include "report/listings.hpp"
#include "report/receipt.hpp"
#include "report/table.hpp"

namespace nightdrop::simulator {
namespace {

using namespace std::chrono_literals;
using report::Tone;
using Steady = std::chrono::steady_clock;

std::string text_of(JsonView value) {
  return std::string(value.string().value_or(""));
}
std::string usd(std::int64_t amount) {
  return report::money(amount, "usd");
}
std::string reference(int guest) {
  return "friday-" + std::to_string(100 + guest);
}

std::string milliseconds_since(Steady::time_point begin) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - begin).count()) + " ms";
}

// What must be the same before and after a power cut, to the last byte: every payment. An intent whose card was refused
// is none; it lives in memory alone.
std::map<std::string, std::string> snapshot(const std::vector<Json>& book) {
  std::map<std::string, std::string> all;
  for (const Json& payment : book) {
    if (payment["status"].string() != "requires_payment_method") all[text_of(payment["id"])] = payment.dump();
  }
  return all;
}

}  // namespace

Evening::Evening(const StoryOptions& options, Narrator& narrator)
    : options_(options),
      narrator_(narrator),
      shop_(options.directory, options.programs),
      till_(shop_),
      acquirer_address_(shop_.acquirer_address()),
      guests_(simulator::forty_guests()),
      late_guests_(simulator::late_guests()) {
  shop_.start_reader();
  till_.connect();
}

Proof Evening::tell() {
  line_is_up();
  line_drops();
  forty_guests();
  power_cut();
  full_house();
  line_comes_back();
  what_the_reader_reports();
  exposure();
  return prove();
}

Sale Evening::sell(const std::string& reference, std::int64_t amount, const GuestCard& card) {
  pans_.insert(card.pan);
  return till_.sell(reference, amount, card);
}

std::size_t Evening::stored_count() {
  return static_cast<std::size_t>(till_.offline_status()["offline_payments_count"].integer().value_or(0));
}

void Evening::line_is_up() {
  narrator_.chapter("1 · The line is up");
  narrator_.say("A reader, its acquirer and the till: real programs, talking TLS 1.3. Three guests pay.");
  till_.wait_until("the reader is online",
                   [&] { return text_of(till_.offline_status()["network_status"]) == "online"; });
  report::Table paid({{"SALE"}, {"AMOUNT", true}, {"CARD"}, {"READ"}, {"STATUS", false, report::Fit::Clip}});
  const std::pair<std::int64_t, const char*> early[] = {
      {4'250, "visa_contactless"}, {2'800, "mastercard_contactless"}, {6'175, "amex_contact"}};
  int number = 0;
  for (const auto& [amount, card] : early) {
    const Sale sale = sell("early-" + std::to_string(++number), amount, catalogue_card(card));
    if (sale.status() != "succeeded") throw StoryFailure("an online payment was not approved: " + sale.code);
    const JsonView method = sale.payment["payment_method"];
    paid.row({{text_of(sale.payment["merchant_reference"])},
              {usd(amount)},
              {report::brand_text(text_of(method["brand"])) + " " + text_of(method["last4"])},
              {report::read_method_text(text_of(method["read_method"]))},
              {std::string(report::status_text(sale.status())), report::status_tone(sale.status())}});
  }
  narrator_.blank();
  narrator_.block(paid.render(narrator_.style()));
}

// The worst moment for it: a payment is on its way, and nobody knows whether it arrived.
void Evening::line_drops() {
  narrator_.chapter("2 · The line drops, in mid-payment");
  shop_.acquirer_faults(R"([{"fault":"delay","ms":4000,"match":{"path":"/v1/payments"},"count":1}])");
  const GuestCard card = catalogue_card("discover_contactless");
  pans_.insert(card.pan);
  const std::uint64_t request = till_.begin("early-4", 3'120, card);
  till_.wait_for("payment_intent.processing");
  const auto begin = Steady::now();
  shop_.set_line("down");
  const Sale sale = till_.finish(request);
  const std::string stored_after = milliseconds_since(begin);
  if (sale.status() != "stored")
    throw StoryFailure("the payment in flight was not stored: " + sale.status() + sale.code);
  narrator_.mark("✗", Tone::Bad, "The line goes down while " + usd(3'120) + " is being authorized.");
  narrator_.then("Stored " + stored_after +
                 " later, under the same ID: whether the acquirer has it, nobody "
                 "knows. It will be asked for again, never charged again.");
}

void Evening::forty_guests() {
  narrator_.chapter("3 · Forty guests want to pay");
  narrator_.say("Caps of this shop: " + usd(payment_cap) + " a payment, " + usd(total_cap) +
                " in all, two payments a card; a "
                "manager above " +
                usd(threshold) + ".");
  for (const Guest& guest : guests_) {
    if (guest.number == guest_count) break;  // the last one has a chapter of his own
    refusals_before(guest.number);
    one_guest(guest);
    narrator_.progress("guest " + std::to_string(guest.number) + " of 40   " + usd(guest.amount) + "   " +
                       guest.card.about + "   stored, not authorized");
    narrator_.pause(70ms);
    till_.read_events();
    if (std::exchange(near_told_, near_told_ || till_.near_limit()) != near_told_) {
      narrator_.mark("!", Tone::Warning,
                     "Guest " + std::to_string(guest.number) + ": 80 % of the cap is used; the till is told.");
    }
  }
  narrator_.mark("✓", Tone::Good,
                 "39 of the forty have paid; " + std::to_string(stored_count()) +
                     " payments are stored. Each receipt "
                     "says: “" +
                     receipt_says_ + "”.");
  tip_and_void();
}

void Evening::one_guest(const Guest& guest) {
  if (guest.number == 7) return swipe_then_phone(guest);
  if (guest.number == big_party) return manager_approves(guest);
  const Sale sale = sell(reference(guest.number), guest.amount, guest.card);
  if (sale.status() != "stored")
    throw StoryFailure("guest " + std::to_string(guest.number) + " could not pay: " + sale.code + sale.status());
  if (guest.number == 1) receipt_says_ = report::outcome_text(sale.payment.view());
  if (guest.number == 12) tipped_ = sale.id();
  if (guest.number == 21) returned_ = sale.id();
}

// Others come in between and are sent away, each by another rule.
void Evening::refusals_before(int guest) {
  if (guest == 10)
    refused("A card that expired in 2020", 2'350, catalogue_card("visa_expired"), "The guest pays cash.");
  if (guest == 16)
    refused("A chip that says no by itself", 4'400, catalogue_card("visa_chip_refuses"),
            "The guest takes another card.");
  if (guest == 25)
    refused("A party wants to pay for all", 31'250, catalogue_card("visa_contact"), "They split the bill.");
}

void Evening::refused(const std::string& what, std::int64_t amount, const GuestCard& card, const std::string& then) {
  const Sale sale = sell("refused-" + std::to_string(++refused_), amount, card);
  if (!sale.refused()) throw StoryFailure(what + ": was not refused");
  narrator_.mark("✗", Tone::Bad, what + ", " + usd(amount) + ".");
  narrator_.then("“" + sale.message + "” " + then);
}

void Evening::swipe_then_phone(const Guest& guest) {
  const GuestCard stripe = catalogue_card("visa_swipe");
  const Sale swiped = sell(reference(guest.number), guest.amount, stripe);
  if (swiped.code != "entry_mode_not_allowed_offline") throw StoryFailure("a swipe was not refused");
  narrator_.mark("✗", Tone::Bad, "Guest 7 swipes a stripe, " + usd(guest.amount) + ".");
  const Sale tapped = sell(reference(guest.number), guest.amount, guest.card);
  if (tapped.status() != "stored") throw StoryFailure("the second card was not taken");
  narrator_.then("“" + swiped.message + "” The guest taps another card: stored, same sale.");
}

void Evening::manager_approves(const Guest& guest) {
  const std::string number = std::to_string(guest.number);
  const Sale waits = sell(reference(guest.number), guest.amount, guest.card);
  if (waits.status() != "requires_approval")
    throw StoryFailure("no approval was asked for: " + waits.status() + waits.code);
  narrator_.mark("!", Tone::Warning,
                 "Guest " + number + ", " + usd(guest.amount) + ": above the threshold, a manager must approve.");
  const Sale wrong = till_.approve(waits.id(), "1357");
  if (wrong.code != "approver_invalid") throw StoryFailure("a wrong PIN was taken");
  const Sale approved = till_.approve(waits.id(), manager_pin);
  if (approved.status() != "stored") throw StoryFailure("the approved payment was not stored: " + approved.code);
  narrator_.then("A wrong PIN first: refused. Then the right one, checked on the reader, with no network: stored.");
}

void Evening::tip_and_void() {
  const Sale tipped = till_.add_tip(tipped_, 500);
  if (tipped.refused()) throw StoryFailure("the tip was refused: " + tipped.code);
  const std::int64_t amount = tipped.payment["amount"].integer().value_or(0);
  narrator_.mark("·", Tone::Good,
                 "Guest 12 adds a tip of 5.00: " + usd(amount - 500) + " becomes " + usd(amount) + ".");
  const Sale gone = till_.take_back(returned_);
  if (gone.status() != "canceled") throw StoryFailure("the void was refused: " + gone.code);
  narrator_.mark("·", Tone::Good,
                 "Guest 21 sends the fish back: " + usd(gone.payment["amount"].integer().value_or(0)) +
                     " voided, and never sent.");
}

void Evening::power_cut() {
  narrator_.chapter("4 · The plug is pulled");
  const auto before = snapshot(till_.book());
  const Guest& guest = guests_.back();
  pans_.insert(guest.card.pan);
  (void)till_.begin(reference(guest.number), guest.amount, guest.card);
  till_.wait_for("reader.action_required");
  shop_.kill_reader();
  narrator_.mark("✗", Tone::Bad, "Guest 40 holds the card to the reader. SIGKILL, in mid-sale.");
  in_the_dark_ = PanScanner(pans_).scan_folder(shop_.directory());
  const auto begin = Steady::now();
  shop_.start_reader();
  const std::string ready = milliseconds_since(begin);
  till_.connect();
  const auto after = snapshot(till_.book());
  std::size_t kept = 0;
  for (const auto& [id, payment] : before) kept += after.contains(id) && after.at(id) == payment ? 1U : 0U;
  power_cut_ = {
      "power_cut", "The power cut", kept == before.size(),
      std::to_string(kept) + " of " + std::to_string(before.size()) + " payments came back, each exactly as it was"};
  narrator_.mark(power_cut_.ok ? "✓" : "✗", power_cut_.ok ? Tone::Good : Tone::Bad,
                 "Back in " + ready + ": " + power_cut_.figure + ".");
  const Sale known = till_.look_up(reference(guest.number));
  if (known.status() == "stored") {
    narrator_.then("Guest 40's payment too: it was on the disk before the plug was pulled.");
    return;
  }
  const Sale again = sell(reference(guest.number), guest.amount, guest.card);
  if (again.status() != "stored") throw StoryFailure("guest 40 could not pay: " + again.code + again.status());
  narrator_.then("Guest 40 had been promised nothing yet, and nothing was kept. The same sale again: stored.");
}

void Evening::full_house() {
  refused("One more table", 9'500, catalogue_card("visa_wallet"), "The cap has survived the power cut, too.");
  narrator_.blank();
  Json status = till_.offline_status();
  narrator_.block(report::status_listing(status.view(), JsonView(), narrator_.style()));
}

}  // namespace nightdrop::simulator
