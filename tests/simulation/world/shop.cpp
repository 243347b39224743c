#include "simulation/world/shop.hpp"

#include <algorithm>
#include <utility>

#include "engine/lifecycle.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::simulation {
namespace {

using terminal::PosResult;

bool on_disk(Status status) {
  return status != Status::RequiresPaymentMethod && status != Status::RequiresConfirmation &&
         status != Status::RequiresApproval;
}

SecretBytes secret(std::string_view text) {
  return SecretBytes(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

std::string with_check_digit(std::string digits) {
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    int digit = digits[digits.size() - 1 - i] - '0';
    if (i % 2 == 0) digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  digits.push_back(static_cast<char>('0' + (10 - sum % 10) % 10));
  return digits;
}

std::vector<hal::CardSpec> make_deck() {
  std::vector<hal::CardSpec> deck;
  for (int n = 0; n < 40; ++n) {
    hal::OwnCard own;
    own.pan = with_check_digit((n % 3 == 0 ? "54133300890" : "47617390010") + std::to_string(1000 + n * 7));
    own.read_method = n % 2 == 0 ? ReadMethod::ContactlessEmv : ReadMethod::ContactEmv;
    if (auto card = hal::own_card(own)) deck.push_back(std::move(*card));
  }
  for (const char* name : {"visa_decline_05", "visa_decline_51", "visa_decline_41", "visa_decline_91",
                           "visa_decline_14", "visa_chip_refuses", "visa_removed_early", "visa_online_pin",
                           "visa_swipe", "visa_expired", "girocard_contact"}) {
    if (const auto* card = hal::find_card(name)) deck.push_back(*card);
  }
  return deck;
}

}  // namespace

Shop::Shop(World& world, bool refunds) : world_(world), refunds_(refunds), deck_(make_deck()) {
  world_.on_life([] {},
                 [this] {
                   open_.clear();
                   for (auto& sale : sales_) sale->ready = false;
                 });
}

// --- calls and their answers ---

terminal::Reply<Payment> Shop::call(const std::string& name, const std::string& reference) {
  auto made = std::make_shared<Call>(Call{name, reference, world_.now()});
  open_.push_back(made);
  return [this, made](const PosResult<Payment>& result) { answered(*made, result); };
}

void Shop::answered(Call& call, const PosResult<Payment>& result) {
  world_.may_crash();
  if (call.answered) unsafe("answered twice", call.name + " of " + call.reference);
  call.answered = true;
  std::erase_if(open_, [&](const auto& open) { return open.get() == &call; });
  world_.note(
      call.name + " " + call.reference + ": " +
      (result ? brief(result->id) + " " + std::string(word(result->status)) : std::string(word(result.error().code))));
  const Payment* payment = result ? &*result : result.error().payment ? &*result.error().payment : nullptr;
  if (payment == nullptr) return;
  const auto sale =
      std::ranges::find_if(sales_, [&](const auto& each) { return each->reference == payment->merchant_reference; });
  if (sale != sales_.end()) told(**sale, *payment, result.has_value());
  world_.may_crash();
}

void Shop::told(Sale& sale, const Payment& payment, bool ok) {
  sale.id = payment.id;
  sale.ready = payment.status == Status::RequiresConfirmation || payment.status == Status::RequiresApproval;
  if (!on_disk(payment.status)) return;
  const Payment* row = world_.book().row(payment.id);
  if (row == nullptr)
    unsafe("told before it was durable", brief(payment.id) + " " + std::string(word(payment.status)) + ", and no row");
  if (!RecordBook::can_become(payment.status, row->status)) {
    unsafe("told before it was durable", brief(payment.id) + " told " + std::string(word(payment.status)) +
                                             ", committed " + std::string(word(row->status)));
  }
  if (ok && !sale.refund && !sale.amounts.contains(row->amount) && row->amount != payment.amount) {
    unsafe("told before it was durable", brief(payment.id) + " told the amount " + std::to_string(payment.amount) +
                                             ", committed " + std::to_string(row->amount));
  }
  if (ok) {
    ++acknowledged_;
    sale.told = payment.status;
    sale.amounts.insert(payment.amount);
  } else if (payment.status == Status::Canceled) {
    sale.told_lost = true;
  }
}

// --- what the counter does ---

Shop::Sale& Shop::new_sale() {
  sales_.push_back(std::make_unique<Sale>());
  sales_.back()->reference = "order-" + std::to_string(next_reference_++);
  return *sales_.back();
}

Shop::Sale* Shop::some_sale() {
  std::vector<Sale*> known;
  for (auto& sale : sales_) {
    if (!sale->id.empty()) known.push_back(sale.get());
  }
  if (known.empty()) return nullptr;
  // The newest are the likeliest.
  const auto back = std::min(world_.chance().below(static_cast<std::int64_t>(known.size())),
                             world_.chance().below(static_cast<std::int64_t>(known.size())));
  return known[known.size() - 1 - static_cast<std::size_t>(back)];
}

std::int64_t Shop::some_amount() {
  Chance& chance = world_.chance();
  return chance.per_mille(50) ? chance.between(9'000, 12'000) : chance.between(100, 6'000);
}

terminal::IntentParams Shop::some_params(const Sale& sale) {
  Chance& chance = world_.chance();
  terminal::IntentParams params;
  params.merchant_reference = sale.reference;
  params.amount = some_amount();
  if (chance.per_mille(150)) params.currency = Currency{{'e', 'u', 'r'}};
  const auto behavior = chance.below(10);
  params.offline_behavior = behavior < 6   ? OfflineBehavior::PreferOnline
                            : behavior < 9 ? OfflineBehavior::ForceOffline
                                           : OfflineBehavior::RequireOnline;
  const auto loss = chance.below(6);
  params.on_network_loss = loss < 4 ? OnNetworkLoss::Store : loss < 5 ? OnNetworkLoss::Fail : OnNetworkLoss::Ask;
  return params;
}

void Shop::present_card() {
  Chance& chance = world_.chance();
  const auto& card =
      chance.per_mille(150)
          ? deck_[40 + static_cast<std::size_t>(chance.below(static_cast<std::int64_t>(deck_.size()) - 40))]
          : deck_[static_cast<std::size_t>(chance.below(40))];
  world_.reader().present(card);
}

void Shop::pay(bool confirm_after) {
  Sale& sale = new_sale();
  const auto params = some_params(sale);
  const auto made = world_.terminal().checkout().create(params);
  if (!made) return;
  sale.id = made->id;
  sale.amounts.insert(params.amount);
  world_.note("pay " + sale.reference + " " + brief(sale.id) + " " + std::to_string(params.amount) + " " +
              std::string(word(params.offline_behavior)));
  if (!world_.chance().per_mille(30)) present_card();
  world_.terminal().checkout().collect(sale.id, std::chrono::seconds(60), confirm_after,
                                       call(confirm_after ? "process" : "collect", sale.reference));
}

// All in one turn: they must not all take the last place.
void Shop::confirm_all() {
  for (auto& sale : sales_) {
    if (sale->ready) world_.terminal().checkout().confirm(sale->id, call("confirm", sale->reference));
  }
}

void Shop::adjust(Sale& sale) {
  if (sale.refund || sale.id.empty()) return;
  const auto row = world_.terminal().retrieve(sale.id);
  if (!row) return;
  const std::int64_t tip = world_.chance().below(1'500);
  sale.amounts.insert(row->amount - row->tip + tip);
  world_.terminal().checkout().adjust(sale.id, tip, call("adjust", sale.reference));
}

// One tip, or all of the evening's in one turn.
void Shop::adjust_some() {
  if (world_.chance().per_mille(500)) {
    if (Sale* sale = some_sale(); sale != nullptr) adjust(*sale);
    return;
  }
  for (auto& sale : sales_) {
    if (sale->told == Status::Stored) adjust(*sale);
  }
}

void Shop::cancel() {
  std::vector<Sale*> in_doubt;
  for (auto& sale : sales_) {
    const Payment* row = sale->id.empty() ? nullptr : world_.book().row(sale->id);
    if (row != nullptr && row->outcome_unknown && engine::is_at_risk(row->status)) in_doubt.push_back(sale.get());
  }
  const bool hard = !in_doubt.empty() && world_.chance().per_mille(500);
  Sale* sale =
      hard ? in_doubt[static_cast<std::size_t>(world_.chance().below(static_cast<std::int64_t>(in_doubt.size())))]
           : some_sale();
  if (sale == nullptr) return;
  sale->cancel_asked = true;
  world_.terminal().checkout().cancel(sale->id, CancelReason::RequestedByCustomer, call("cancel", sale->reference));
}

void Shop::approve() {
  Sale* sale = some_sale();
  if (sale == nullptr) return;
  const bool right = !world_.chance().per_mille(200);
  world_.terminal().checkout().approve(sale->id, "manager", secret(right ? "2468" : "1111"),
                                       call("approve", sale->reference));
}

void Shop::refund() {
  if (!refunds_) return;
  Sale* of = some_sale();
  if (of == nullptr || of->refund) return;
  const std::string original = of->id;
  Sale& sale = new_sale();
  sale.refund = true;
  sale.original = original;
  terminal::RefundParams params;
  params.payment_intent = original;
  params.approver = "manager";
  params.intent.merchant_reference = sale.reference;
  params.intent.amount = world_.chance().per_mille(500) ? 0 : world_.chance().between(50, 2'000);
  world_.terminal().checkout().refund(params, secret("2468"), call("refund", sale.reference));
}

void Shop::resolve(bool all) {
  for (auto& sale : sales_) {
    if (sale->id.empty()) continue;
    const Payment* row = world_.book().row(sale->id);
    if (row == nullptr || row->status != Status::Processing || row->on_network_loss != OnNetworkLoss::Ask) continue;
    if (!all && world_.chance().per_mille(500)) continue;
    world_.terminal().checkout().resolve_network_loss(sale->id, world_.chance().per_mille(500),
                                                      call("resolve", sale->reference));
  }
}

void Shop::declines() {
  for (auto& sale : sales_) {
    const Payment* row = sale->id.empty() ? nullptr : world_.book().row(sale->id);
    if (row == nullptr || !engine::is_reportable(row->status) || world_.chance().per_mille(700)) continue;
    if (row->status == Status::Expired && world_.chance().per_mille(500)) {
      (void)world_.terminal().forwarder().release(sale->id);
      world_.terminal().forwarder().forward_now();
      continue;
    }
    world_.terminal().books().reply<Payment>(call("acknowledge", sale->reference),
                                             world_.terminal().acknowledge_decline(sale->id, ""));
  }
}

void Shop::look() {
  terminal::Terminal& terminal = world_.terminal();
  (void)terminal.list(std::nullopt, 10, "");
  (void)terminal.offline_status();
  (void)terminal.sync_report(std::nullopt);
}

void Shop::act() {
  const auto commands = world_.chance().between(1, 4);
  for (std::int64_t n = 0; n < commands; ++n) {
    world_.post([this] {
      switch (world_.chance().below(20)) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
        case 5: return pay(true);
        case 6:
        case 7:
        case 8: return pay(false);
        case 9:
        case 10: return confirm_all();
        case 11: return adjust_some();
        case 12:
        case 13: return cancel();
        case 14: return approve();
        case 15:
        case 16: return refund();
        case 17: return resolve(false);
        case 18: return declines();
        default: return world_.chance().per_mille(500) ? look() : world_.terminal().forwarder().forward_now();
      }
    });
  }
}

// --- the end ---

void Shop::settle_open_questions() {
  world_.post([this] { resolve(true); });
}

void Shop::check_no_call_is_open() const {
  if (open_.empty()) return;
  const Call& call = *open_.front();
  stuck("a call is never answered", call.name + " of " + call.reference + ", made " +
                                        std::to_string((world_.now() - call.made_at) / 1000) + " s ago");
}

void Shop::check_sale(const Sale& sale) {
  const Payment* row = world_.book().row(sale.id);
  const std::string who = sale.reference + " " + brief(sale.id);
  if (row == nullptr) {
    if (sale.told) unsafe("acknowledged and lost", who);
    return;
  }
  const std::string is = std::string(word(row->status));
  if (sale.told && !RecordBook::can_become(*sale.told, row->status))
    unsafe("acknowledged and lost", who + " was " + std::string(word(*sale.told)) + ", is " + is);
  // A refund ends with the sale that it would have given back.
  const Payment* original = sale.original.empty() ? nullptr : world_.book().row(sale.original);
  const bool of_nothing = original != nullptr && original->status != Status::Succeeded;
  if (sale.told && !sale.cancel_asked && row->status == Status::Canceled && !sale.told_lost && !of_nothing)
    unsafe("canceled unasked", who);
  if (!sale.refund && !sale.amounts.contains(row->amount))
    unsafe("another amount", who + " " + std::to_string(row->amount));
}

void Shop::check_charge(const Payment& row) {
  const std::int64_t charged = world_.acquirer().charged(row.id);
  const std::int64_t should = row.status == Status::Succeeded ? row.authorization->approved_amount : 0;
  if (charged == should) return;
  unsafe("acquirer and reader disagree", row.merchant_reference + " " + brief(row.id) + " is " +
                                             std::string(word(row.status)) + ", charged " + std::to_string(charged) +
                                             ", should be " + std::to_string(should));
}

void Shop::check_books() {
  for (const auto& sale : sales_) {
    if (!sale->id.empty()) check_sale(*sale);
  }
  for (const auto& [id, row] : world_.book().rows) check_charge(row);
  for (const auto& [key, posting] : world_.acquirer().postings()) {
    if (posting.charged() && world_.book().row(posting.id) == nullptr)
      unsafe("charged and not in the books", posting.id);
  }
  std::map<std::string, std::int64_t> given_back;
  for (const auto& [key, posting] : world_.acquirer().postings()) {
    if (posting.refund && posting.charged()) given_back[posting.original] += posting.approved;
  }
  for (const auto& [id, amount] : given_back) {
    if (id.empty()) continue;
    const Payment* row = world_.book().row(id);
    const std::int64_t taken = row != nullptr && row->authorization ? row->authorization->approved_amount
                               : row != nullptr                     ? row->amount
                                                                    : 0;
    if (amount > taken)
      unsafe("more given back than taken", brief(id) + ": " + std::to_string(amount) + " of " + std::to_string(taken));
  }
}

}  // namespace nightdrop::simulation
