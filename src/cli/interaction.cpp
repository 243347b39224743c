// Leading a payment through, see interaction.hpp. While a request waits for a person, the connection is read in slices,
// so that prompts show at once and Ctrl-C is noticed.
#include "cli/interaction.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <utility>

#include <cstring>

#include "report/currency.hpp"

namespace nightdrop::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto slice = 200ms;
constexpr auto answer_margin = 60s;  // after the card: the online attempt and the commit
constexpr std::int64_t after_everything = INT64_C(999999999999999);  // no past event is read for prompts
constexpr int steps_max = 8;  // of one payment; more means that reader and command go in circles

std::string_view prompt_text(std::string_view action) {
  if (action == "insert_or_tap") return "Insert or tap the card";
  if (action == "remove_card") return "Remove the card";
  if (action == "try_again") return "Not read: try the card again";
  if (action == "enter_pin") return "Enter the PIN on the reader";
  if (action == "use_chip") return "Use the chip: insert the card";
  return {};
}

// What the event asks people to do; empty when nothing.
std::string prompt_of(std::string_view params) {
  const auto event = Json::parse(params);
  if (!event) return {};
  const auto type = (*event)["type"].string().value_or(std::string_view());
  if (type == "reader.card_inserted") return "Reading the card, do not remove it";
  if (type != "reader.action_required") return {};
  const JsonView data = (*event)["data"];
  for (const JsonView value : data.items()) {
    if (const auto text = value.string(); text && !prompt_text(*text).empty()) return std::string(prompt_text(*text));
  }
  return {};
}

Json id_params(std::string_view id) {
  return std::move(Json::object().set("id", id));
}

Failure interrupted() {
  return {Exit::Interrupted, "interrupted; the payment was canceled if it still could be", {}, {}};
}

// One request that waits for people.
class Waiting {
 public:
  Waiting(Session& session, PosClient& client, std::string_view payment_id, std::string title)
      : session_(session), client_(client), payment_id_(payment_id), title_(std::move(title)) {}

  Called run(std::string_view method, const Json& params, Session::Milliseconds timeout) {
    subscribe();
    const auto request = client_.begin(method, params.dump());
    if (!request) return session_.answered(std::unexpected(request.error()));
    const auto started = std::chrono::steady_clock::now();
    session_.console.progress(title_ + "…");
    for (;;) {
      auto answer = client_.wait(*request, slice);
      show_prompts();
      const bool waits = !answer && answer.error().timed_out();
      if (!waits || std::chrono::steady_clock::now() - started > timeout) {
        session_.console.end_progress();
        if (stopped_ > 0 && !answer) return std::unexpected(interrupted());
        return session_.answered(std::move(answer));
      }
      if (interrupts_.pending() && ++stopped_ > 1) return std::unexpected(interrupted());
      if (stopped_ == 1 && !cancel_sent_) cancel();
    }
  }

 private:
  // Prompts are notifications to subscribers; types that are never journalled bring nothing from the past.
  void subscribe() {
    Json types = Json::array();
    for (const char* type : {"reader.action_required", "reader.card_inserted", "reader.card_removed"})
      types.push(Json::string(type));
    Json params = Json::object();
    params.set("consumer", "nightdrop-prompts").set("types", std::move(types)).set("after", after_everything);
    static_cast<void>(session_.call("subscribe", params));  // without prompts the payment goes on all the same
  }

  void show_prompts() {
    for (;;) {
      const auto event = client_.next_event(0ms);
      if (!event || !*event) return;
      if (const std::string prompt = prompt_of(**event); !prompt.empty())
        session_.console.progress(title_ + ": " + prompt);
    }
  }

  void cancel() {
    cancel_sent_ = true;
    session_.console.progress("Canceling…");
    if (const auto sent = client_.begin("cancel_payment_intent", id_params(payment_id_).dump())) client_.forget(*sent);
  }

  Session& session_;
  PosClient& client_;
  std::string payment_id_;
  std::string title_;
  Interrupts interrupts_;
  int stopped_{0};
  bool cancel_sent_{false};
};

Called resolve_loss(Session& session, std::string_view id) {
  for (;;) {
    const auto word = session.console.ask("The network was lost. Store the payment, or let it fail? [store/fail] ");
    if (!word)
      return std::unexpected(Failure{Exit::TryLater, "nobody decided what to do after the network was lost", {}, {}});
    if (*word == "store" || *word == "fail") {
      Json params = id_params(id);
      return session.call("resolve_network_loss", params.set("decision", *word), 60s);
    }
  }
}

}  // namespace

Called with_approval(Session& session, std::string_view method, const Json& extra, const ApprovalOptions& approval) {
  Console& console = session.console;
  for (;;) {
    std::string approver = approval.approver;
    if (approver.empty()) {
      const auto named = console.can_ask() ? console.ask("Manager: ") : std::nullopt;
      if (!named || named->empty()) {
        return std::unexpected(Failure{Exit::ByRule,
                                       "a manager must approve: give --approver, and the PIN with --pin-stdin",
                                       "approval_required",
                                       {}});
      }
      approver = *named;
    }
    auto pin = approval.pin_stdin  ? console.read_pin_line()
               : console.can_ask() ? console.ask_pin("PIN: ")
                                   : std::nullopt;
    if (!pin) {
      return std::unexpected(
          Failure{Exit::Usage, "no PIN of 4 to 12 digits was given; without a terminal use --pin-stdin", {}, {}});
    }
    Json params = extra.view().copy();
    params.set("approver", approver);
    auto answer = session.call_with_pin(method, params, *pin);
    explicit_bzero(pin->data(), pin->size());
    const bool again = !answer && answer.error().code == "approver_invalid" && !approval.pin_stdin && console.can_ask();
    if (!again) return answer;
    console.complain(answer.error().message);
  }
}

Called drive(Session& session, Answer intent, int timeout_s, const ApprovalOptions& approval) {
  const auto client = session.client();
  if (!client) return std::unexpected(client.error());
  bool card_was_asked = false;
  for (int step = 0; step < steps_max; ++step) {
    const std::string id(intent["id"].string().value_or(std::string_view()));
    const std::string status(intent["status"].string().value_or(std::string_view()));
    const std::string amount =
        report::money(intent["amount"].integer().value_or(0), intent["currency"].string().value_or("usd"));
    const std::string title = (intent["object"].string() == "refund" ? "Refund " : "Pay ") + amount;
    const bool asks = intent["on_network_loss"].string() == "ask";

    Called next = std::unexpected(Failure{});
    if (status == "requires_payment_method" && !card_was_asked) {
      card_was_asked = true;
      const Json params = std::move(id_params(id).set("timeout_s", timeout_s));
      next = Waiting(session, **client, id, title)
                 .run("process_payment_intent", params, std::chrono::seconds(timeout_s) + answer_margin);
    } else if (status == "requires_confirmation") {
      next = Waiting(session, **client, id, title).run("confirm_payment_intent", id_params(id), answer_margin);
    } else if (status == "requires_approval") {
      next = std::unexpected(Failure{Exit::ByRule, {}, "approval_required", {}});
    } else if (status == "processing" && asks && session.console.can_ask()) {
      next = resolve_loss(session, id);
    } else {
      return intent;
    }
    if (!next && next.error().code == "approval_required") {
      session.console.say(title + " is above the limit: a manager must approve it.", report::Tone::Warning);
      next = with_approval(session, "approve_payment_intent", id_params(id), approval);
      card_was_asked = false;  // where the approval came before the card, the card comes now
    } else if (!next && next.error().code == "network_lost" && asks && session.console.can_ask()) {
      const auto now = session.call("retrieve_payment_intent", id_params(id));
      if (!now || (*now)["status"].string() != "processing") return next;
      next = resolve_loss(session, id);
    }
    if (!next) return next;
    intent = std::move(*next);
  }
  return intent;
}

}  // namespace nightdrop::cli
