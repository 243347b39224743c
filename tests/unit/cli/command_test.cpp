// The `nightdrop` command as a process against a fake reader: what it sends, prints and leaves with.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "crypto/p256.hpp"
#include "crypto/primitives.hpp"
#include "fake_reader.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* id = "pi_0193f0c4a1b27c3d8e4f5a6b7c8d9e0f";

// A payment_intent in a state; `more` is further members.
std::string intent(std::string_view status, std::string_view more = "") {
  return R"({"id":")" + std::string(id) +
         R"(","object":"payment_intent","amount":1250,"amount_details":{"tip":0},"currency":"usd",)" + R"("status":")" +
         std::string(status) + R"(","merchant_reference":"order-1","on_network_loss":"store",)" +
         R"("created":"2026-11-20T19:40:03.123Z","payment_method":null,"offline":null,"authorization":null,"decline":null)" +
         std::string(more) + "}";
}

std::string prompt(std::string_view action) {
  return R"({"seq":0,"type":"reader.action_required","created":"2026-11-20T19:40:03.123Z","data":{"action":")" +
         std::string(action) + "\"}}";
}

std::string offline_status(int count, std::string_view network = "online") {
  return R"({"network_status":")" + std::string(network) + R"(","route":"wifi","offline_payments_count":)" +
         std::to_string(count) +
         R"(,"offline_payment_amounts_by_currency":{"usd":1980},"oldest_stored_at":null,"next_deadline":null,)"
         R"("limits":{"usd":{"per_transaction":10000,"device_total":100000,"device_total_remaining":98020},)"
         R"("device_count":100,"device_count_remaining":98},"forwarding":{"paused":false,"in_flight":0,"reason":null}})";
}

std::string file_with(const FakeReader& reader, const std::string& name, std::string_view text) {
  std::ofstream(reader.directory() + "/" + name) << text;
  return reader.directory() + "/" + name;
}

TEST(Command, StatusShowsWhatIsAtRisk) {
  FakeReader reader;
  reader.on("retrieve_offline_status", result(offline_status(2)));
  const Ran ran = run(reader, {"status"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.out, HasSubstr("2 payments at risk, not authorized"));
  EXPECT_THAT(ran.out, HasSubstr("USD 19.80"));
  EXPECT_THAT(ran.out, Not(HasSubstr("\x1b")));
}

TEST(Command, JsonIsTheProtocolsObjectUnchangedBeforeOrAfterTheSubCommand) {
  FakeReader reader;
  const std::string odd = "{\"b\":1,  \"a\":[ ]}";
  reader.on("retrieve_offline_status", result(odd));
  EXPECT_EQ(run(reader, {"--json", "status"}).out, odd + "\n");
  EXPECT_EQ(run(reader, {"status", "--json"}).out, odd + "\n");
}

TEST(Command, FindsTheSocketByOption) {
  FakeReader other;
  FakeReader reader;
  reader.on("retrieve_offline_status", result(offline_status(0)));
  EXPECT_EQ(run(other, {"--socket", reader.path(), "status"}).exit, 0);
  EXPECT_EQ(run(other, {"status", "--socket", reader.path()}).exit, 0);
  EXPECT_THAT(other.calls(), IsEmpty());
}

TEST(Command, SaysWhenTheDaemonIsNotThere) {
  const FakeReader reader;
  const Ran ran = run(reader, {"status", "--socket", "/nonexistent/pos.sock"});
  EXPECT_EQ(ran.exit, 69);
  EXPECT_THAT(ran.err, HasSubstr("/nonexistent/pos.sock"));
  EXPECT_EQ(run(reader, {"--config", "/nonexistent.json", "status"}).exit, 65);
}

TEST(Command, AWrongCommandLineIsTwo) {
  const FakeReader reader;
  for (const auto& line : std::vector<std::vector<std::string>>{{},
                                                                {"nonsense"},
                                                                {"pay"},
                                                                {"pay", "12.505"},
                                                                {"pay", "abc"},
                                                                {"pay", "1", "--minor", "1"},
                                                                {"tip", "x"},
                                                                {"pay", "1", "--timeout", "0"}}) {
    EXPECT_EQ(run(reader, line).exit, 2) << (line.empty() ? "" : line.back());
  }
}

TEST(Command, HelpHasExamplesForEverySubCommand) {
  const FakeReader reader;
  const Ran all = run(reader, {"--help"});
  EXPECT_EQ(all.exit, 0);
  EXPECT_THAT(all.out, HasSubstr("Exit status:"));
  std::istringstream all_lines(all.out);
  for (std::string line; std::getline(all_lines, line);) EXPECT_LE(line.size(), 80U) << line;
  for (const char* name : {"status", "pay", "refund", "list", "show", "approve", "tip", "void", "forward", "declines",
                           "ack", "report", "reconcile", "events", "accept-damage", "export-sealed", "rekey"}) {
    const Ran help = run(reader, {name, "--help"});
    EXPECT_EQ(help.exit, 0) << name;
    EXPECT_THAT(help.out, HasSubstr(std::string("nightdrop ") + name)) << name;
    EXPECT_THAT(help.out, HasSubstr("Examples:")) << name;
    std::istringstream lines(help.out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  }
}

TEST(Command, PayShowsPromptsAndPrintsTheReceipt) {
  FakeReader reader;
  reader.on("create_payment_intent", result(intent("requires_payment_method")));
  reader.on("process_payment_intent",
            Reply{.events = {prompt("insert_or_tap"), prompt("remove_card")}, .result = intent("succeeded")});
  const Ran ran = run(reader, {"pay", "12.50", "--tip", "1.00", "--reference", "order-1", "--timeout", "5"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.out, HasSubstr("APPROVED"));
  EXPECT_THAT(ran.out, HasSubstr("USD 12.50"));
  EXPECT_THAT(ran.err, HasSubstr("Insert or tap the card"));
  EXPECT_THAT(
      reader.params_of("create_payment_intent"),
      ElementsAre(R"({"amount":1250,"currency":"usd","merchant_reference":"order-1","amount_details":{"tip":100}})"));
  EXPECT_THAT(reader.params_of("process_payment_intent"),
              ElementsAre(R"({"id":")" + std::string(id) + R"(","timeout_s":5})"));
}

TEST(Command, PayMakesUpAReferenceOfItsOwnEachTime) {
  FakeReader reader;
  reader.on("create_payment_intent", result(intent("succeeded")));
  run(reader, {"pay", "--minor", "5"});
  run(reader, {"pay", "--minor", "5"});
  const auto sent = reader.params_of("create_payment_intent");
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_THAT(sent[0], HasSubstr("\"merchant_reference\":\"cli-"));
  EXPECT_NE(sent[0], sent[1]);
}

TEST(Command, AStoredPaymentIsDoneAndUnmistakablyNotAuthorized) {
  FakeReader reader;
  reader.on("create_payment_intent", result(intent("requires_payment_method")));
  reader.on("process_payment_intent", result(intent("stored", R"(,"x":1)")));
  const Ran ran = run(reader, {"pay", "12.50"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.out, HasSubstr("STORED OFFLINE - NOT YET AUTHORIZED"));
  EXPECT_THAT(ran.out, Not(HasSubstr("APPROVED")));
}

TEST(Command, ExitsTellWhyThereIsNoMoney) {
  const std::vector<std::pair<Reply, int>> cases{{result(intent("declined")), 1},
                                                 {refusal("card_declined_offline"), 1},
                                                 {refusal("card_read_timed_out"), 1},
                                                 {refusal("offline_total_limit_reached"), 3},
                                                 {refusal("network_required"), 3},
                                                 {refusal("unexpected_state"), 3},
                                                 {refusal("unknown_payment_intent"), 4},
                                                 {refusal("reader_busy"), 75},
                                                 {refusal("store_full"), 75}};
  for (const auto& [reply, exit] : cases) {
    FakeReader reader;
    reader.on("create_payment_intent", result(intent("requires_payment_method")));
    reader.on("process_payment_intent", reply);
    EXPECT_EQ(run(reader, {"pay", "12.50"}).exit, exit) << reply.error << reply.result;
  }
}

TEST(Command, WithJsonARefusalIsTheErrorObject) {
  FakeReader reader;
  const Reply no = refusal("merchant_reference_conflict");
  reader.on("create_payment_intent", no);
  const Ran ran = run(reader, {"pay", "12.50", "--json"});
  EXPECT_EQ(ran.exit, 3);
  EXPECT_EQ(ran.out, "{\"error\":" + no.error + "}\n");
  EXPECT_THAT(ran.err, HasSubstr("No. (merchant_reference_conflict)"));
}

TEST(Command, PayApprovesWithAPinFromStandardInput) {
  FakeReader reader;
  reader.on("create_payment_intent", result(intent("requires_payment_method")));
  reader.on("process_payment_intent", result(intent("requires_approval")));
  reader.on("approve_payment_intent", result(intent("stored")));
  const Ran ran = run(reader, {"pay", "12.50", "--approver", "manager", "--pin-stdin"}, "2468\n");
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(reader.params_of("approve_payment_intent"),
              ElementsAre(R"({"id":")" + std::string(id) + R"(","approver":"manager","pin":"2468"})"));
  EXPECT_THAT(ran.out + ran.err, Not(HasSubstr("2468")));
}

TEST(Command, PayConfirmsWhatTheApprovalLeavesToConfirm) {
  FakeReader reader;
  reader.on("create_payment_intent", result(intent("requires_payment_method")));
  reader.on("process_payment_intent", refusal("approval_required"));
  reader.on("approve_payment_intent", result(intent("requires_confirmation")));
  reader.on("confirm_payment_intent", result(intent("stored")));
  EXPECT_EQ(run(reader, {"pay", "12.50", "--approver", "manager", "--pin-stdin"}, "2468\n").exit, 0);
  EXPECT_EQ(reader.params_of("confirm_payment_intent").size(), 1U);
}

TEST(Command, WithoutATerminalNobodyIsAsked) {
  FakeReader reader;
  reader.on("create_payment_intent", result(intent("requires_approval")));
  const Ran ran = run(reader, {"pay", "12.50"});
  EXPECT_EQ(ran.exit, 3);
  EXPECT_THAT(ran.err, HasSubstr("--pin-stdin"));
}

TEST(Command, OnATerminalTheManagerIsAskedAgainAfterAWrongPinAndNoPinShows) {
  FakeReader reader;
  reader.on("retrieve_payment_intent", result(intent("requires_approval")));
  reader.on("approve_payment_intent", refusal("approver_invalid", R"(,"attempts_remaining":4)"));
  reader.on("approve_payment_intent", result(intent("stored")));
  const Ran ran =
      run_on_terminal(reader, {"approve", "order-1", "--approver", "manager"}, {{"PIN: ", "1357"}, {"PIN: ", "2468"}});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.out, HasSubstr("4 attempts left"));
  EXPECT_THAT(ran.out, Not(HasSubstr("1357")));
  EXPECT_THAT(ran.out, Not(HasSubstr("2468")));
  EXPECT_EQ(reader.params_of("approve_payment_intent").size(), 2U);
}

TEST(Command, OnATerminalThereAreColoursUnlessRefused) {
  FakeReader reader;
  reader.on("retrieve_offline_status", result(offline_status(2)));
  EXPECT_THAT(run_on_terminal(reader, {"status"}, {}).out, HasSubstr("\x1b[3"));
  EXPECT_THAT(run_on_terminal(reader, {"status", "--no-color"}, {}).out, Not(HasSubstr("\x1b[3")));
}

TEST(Command, CtrlCCancelsThePayment) {
  FakeReader reader;
  int process = 0;
  reader.on("create_payment_intent", result(intent("requires_payment_method")));
  reader.on("process_payment_intent", [&process](JsonView) {
    ::kill(process, SIGINT);
    return Reply{.hold = true};
  });
  reader.on("cancel_payment_intent",
            Reply{.result = intent("canceled"), .release = true, .held_error = refusal("canceled").error});
  EXPECT_EQ(run(reader, {"pay", "12.50"}, "", [&process](int started) { process = started; }).exit, 130);
  EXPECT_EQ(reader.params_of("cancel_payment_intent").size(), 1U);
}

TEST(Command, RefundNamesThePaymentByItsReference) {
  FakeReader reader;
  reader.on("retrieve_payment_intent", result(intent("succeeded")));
  reader.on(
      "create_refund",
      result(
          R"({"id":"pi_r","object":"refund","amount":1250,"currency":"usd","status":"stored","merchant_reference":"r"})"));
  const Ran ran =
      run(reader, {"refund", "order-1", "--reference", "r", "--approver", "manager", "--pin-stdin"}, "2468\n");
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.out, HasSubstr("REFUND\n  STORED OFFLINE - NOT YET AUTHORIZED\n"));
  EXPECT_THAT(reader.params_of("create_refund"),
              ElementsAre(R"({"payment_intent":")" + std::string(id) +
                          R"(","merchant_reference":"r","approver":"manager","pin":"2468"})"));
}

TEST(Command, RefundOfAPartIsInThePaymentsCurrency) {
  FakeReader reader;
  reader.on("retrieve_payment_intent", result(R"({"id":"pi_1","amount":500,"currency":"jpy","status":"succeeded"})"));
  reader.on("create_refund", refusal("invalid_params"));
  run(reader, {"refund", "order-1", "--amount", "300", "--reference", "r", "--approver", "m", "--pin-stdin"}, "2468\n");
  EXPECT_THAT(
      reader.params_of("create_refund"),
      ElementsAre(R"({"payment_intent":"pi_1","amount":300,"merchant_reference":"r","approver":"m","pin":"2468"})"));
}

TEST(Command, InvalidParamsAreAUsageError) {
  FakeReader reader;
  reader.on("list_payment_intents",
            Reply{.error = R"({"code":-32602,"message":"No.","data":{"code":"invalid_params","field":"status"}})"});
  const Ran ran = run(reader, {"list", "--status", "odd"});
  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.err, HasSubstr("[status]"));
}

TEST(Command, ExposureIsDrawnFromThePaymentsEvents) {
  FakeReader reader;
  const auto event = [](const char* status, const char* at) {
    return R"({"seq":1,"type":"payment_intent.)" + std::string(status) + R"(","created":")" + at + R"(","data":)" +
           intent(status) + "}";
  };
  reader.on("subscribe", Reply{.events = {event("stored", "2026-11-20T19:40:03.000Z"),
                                          event("forwarding", "2026-11-20T19:40:04.000Z"),
                                          event("succeeded", "2026-11-20T19:40:13.000Z")},
                               .result = R"({"cursor":0})"});
  EXPECT_EQ(run(reader, {"report", "--exposure", "--json"}).out,
            R"({"usd":[{"at":"2026-11-20T19:40:03.000Z","amount":1250},{"at":"2026-11-20T19:40:13.000Z","amount":0}]})"
            "\n");
}

TEST(Command, ListFollowsThePages) {
  FakeReader reader;
  reader.on("list_payment_intents", result("{\"data\":[" + intent("stored") + "],\"has_more\":true}"));
  reader.on("list_payment_intents", result("{\"data\":[" + intent("succeeded") + "],\"has_more\":false}"));
  const Ran ran = run(reader, {"list", "--all", "--status", "stored"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.out, HasSubstr("approved"));
  EXPECT_THAT(reader.params_of("list_payment_intents"),
              ElementsAre(R"({"status":"stored","limit":100})",
                          R"({"status":"stored","limit":100,"starting_after":")" + std::string(id) + "\"}"));
}

TEST(Command, TipVoidAckAndShowSendWhatTheyMust) {
  FakeReader reader;
  reader.on("retrieve_payment_intent", result(intent("stored")));
  reader.on("adjust_payment_intent", result(intent("stored")));
  reader.on("cancel_payment_intent", result(intent("canceled")));
  reader.on("acknowledge_decline", result(intent("declined")));
  const std::string named = R"({"id":")" + std::string(id) + "\"";
  EXPECT_EQ(run(reader, {"tip", "order-1", "2.00"}).exit, 0);
  EXPECT_THAT(reader.params_of("adjust_payment_intent"), ElementsAre(named + R"(,"amount_details":{"tip":200}})"));
  EXPECT_THAT(run(reader, {"void", id, "--reason", "duplicate"}).out, HasSubstr("CANCELED - VOID"));
  EXPECT_THAT(reader.params_of("cancel_payment_intent"), ElementsAre(named + R"(,"reason":"duplicate"})"));
  EXPECT_EQ(run(reader, {"ack", "order-1", "--note", "paid in cash"}).exit, 0);
  EXPECT_THAT(reader.params_of("acknowledge_decline"), ElementsAre(named + R"(,"note":"paid in cash"})"));
  EXPECT_THAT(run(reader, {"show", "order-1"}).out, HasSubstr("stored, not authorized"));
  EXPECT_THAT(run(reader, {"show", "order-1", "--receipt"}).out, HasSubstr("STORED OFFLINE"));
}

TEST(Command, ForwardLooksOnUntilNothingIsLeft) {
  FakeReader reader;
  reader.on("forward_stored_payments", result(R"({"accepted":true})"));
  reader.on("retrieve_offline_status", result(offline_status(2)));
  reader.on("retrieve_offline_status", result(offline_status(0)));
  reader.on(
      "retrieve_sync_report",
      result(R"({"id":7,"started_at":"2026-11-20T19:40:03.123Z","ended_at":"2026-11-20T19:40:05.123Z","route":"wifi",)"
             R"("forwarded":2,"succeeded":1,"declined":1,"requires_review":0,"expired":0,)"
             R"("amounts_by_currency":{"usd":{"succeeded":1250,"declined":730}},"payments":[)" +
             intent("declined") + "]}"));
  const Ran ran = run(reader, {"forward"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.err, HasSubstr("0 of 2, 2 left"));
  EXPECT_THAT(ran.out, HasSubstr("FORWARDED"));
  EXPECT_THAT(ran.out, HasSubstr("WHAT TO DO"));
}

TEST(Command, ReconcileSendsTheLogAndFailsOnADifference) {
  FakeReader reader;
  const std::string same =
      R"({"merchant_reference":"a","pos":{"amount":1250,"currency":"usd"},"reader":)" + intent("succeeded") + "}";
  reader.on("reconcile", result(R"({"matched":[)" + same +
                                R"(],"missing_on_reader":[],"missing_on_pos":[],"mismatched":[],"duplicates":[]})"));
  reader.on(
      "reconcile",
      result(R"({"matched":[],"missing_on_reader":[],"missing_on_pos":[],"mismatched":[{"merchant_reference":"a",)"
             R"("pos":{"amount":1250,"currency":"usd"},"reader":)" +
             intent("succeeded") + R"(,"fields":["amount"]}],"duplicates":[]})"));
  const std::string log =
      file_with(reader, "log.csv", "last4,currency,amount,merchant_reference\n4242,USD,12.50,a\n,jpy,500,\"b,c\"\n");
  EXPECT_EQ(run(reader, {"reconcile", log}).exit, 0);
  EXPECT_THAT(reader.params_of("reconcile"),
              ElementsAre(R"({"entries":[{"merchant_reference":"a","amount":1250,"currency":"usd","last4":"4242"},)"
                          R"({"merchant_reference":"b,c","amount":500,"currency":"jpy"}]})"));
  const Ran differs = run(reader, {"reconcile", log});
  EXPECT_EQ(differs.exit, 1);
  EXPECT_THAT(differs.out, HasSubstr("differs: amount"));
  const Ran bad =
      run(reader, {"reconcile", file_with(reader, "bad.csv", "merchant_reference,amount,currency\na,1.999,usd\n")});
  EXPECT_EQ(bad.exit, 65);
  EXPECT_THAT(bad.err, HasSubstr("line 2, column 3"));
  EXPECT_EQ(run(reader, {"reconcile", reader.directory() + "/none.csv"}).exit, 66);
}

TEST(Command, ReconcileAsksALongLogInPartsAndMissingSalesOnce) {
  FakeReader reader;
  std::string log = "merchant_reference,amount_minor,currency\n";
  for (int i = 0; i < 2000; ++i) log += "order-number-" + std::to_string(10'000 + i) + ",100,usd\n";
  reader.on("reconcile", [](JsonView params) {
    Json matched = Json::array();
    for (const JsonView entry : params["entries"].items()) {
      const std::string reference(*entry["merchant_reference"].string());
      Json payment = Json::object();
      payment.set("created", "2026-11-20T1" + reference.substr(13, 1) + ":40:03." + reference.substr(15, 3) + "Z");
      matched.push(std::move(Json::object().set("merchant_reference", reference).set("reader", std::move(payment))));
    }
    Json answer = Json::object();
    Json extra = Json::array();
    extra.push(
        std::move(Json::object().set("merchant_reference", "order-number-10001")));  // in another part of the log
    extra.push(std::move(Json::object().set("merchant_reference", "forgotten")));
    answer.set("matched", std::move(matched))
        .set("missing_on_reader", Json::array())
        .set("missing_on_pos", std::move(extra));
    return result(answer.set("mismatched", Json::array()).set("duplicates", Json::array()).dump());
  });
  const Ran ran = run(reader, {"reconcile", file_with(reader, "long.csv", log), "--json"});
  EXPECT_EQ(ran.exit, 1);
  const auto whole = Json::parse(ran.out);
  ASSERT_TRUE(whole);
  EXPECT_EQ((*whole)["matched"].size(), 2000U);
  ASSERT_EQ((*whole)["missing_on_pos"].size(), 1U);
  EXPECT_EQ((*whole)["missing_on_pos"].items()[0]["merchant_reference"].string(), "forgotten");
  for (const std::string& sent : reader.params_of("reconcile")) EXPECT_LT(sent.size(), 60'000U);
}

TEST(Command, EventsPrintsAndThenAcknowledges) {
  FakeReader reader;
  const std::string one = R"({"seq":41,"type":"payment_intent.stored","created":"2026-11-20T19:40:03.123Z","data":)" +
                          intent("stored") + "}";
  reader.on("subscribe", Reply{.events = {one}, .result = R"({"cursor":40})"});
  reader.on("acknowledge_events", result(R"({"cursor":41})"));
  const Ran ran = run(
      reader, {"events", "--consumer", "books", "--types", "payment_intent.stored,link.changed", "--ack", "--json"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.out, one + "\n");
  EXPECT_THAT(reader.params_of("acknowledge_events"), ElementsAre(R"({"consumer":"books","through":41})"));
  EXPECT_THAT(run(reader, {"events"}).out, HasSubstr("payment_intent.stored"));
}

// A journal of three events and a checkpoint, as the reader exports it.
struct Journal {
  Secret<32> key = std::move(*p256_generate());
  P256Point point = *p256_public_key(key.view());
  std::vector<std::string> lines;

  explicit Journal(const std::string& serial = "ND000001") {
    Digest hash{};
    for (int seq = 1; seq <= 3; ++seq) {
      const std::string event = R"({"seq":)" + std::to_string(seq) + R"(,"type":"link.changed","note":"café \"x\""})";
      hash = sha256(hash, bytes_of(event));
      Json line = Json::object();
      lines.push_back(line.set("seq", seq).set("event", event).set("hash", hex_lower(hash)).dump());
    }
    const std::string message = "nightdrop-checkpoint\n" + serial + "\n3\n" + hex_lower(hash);
    lines.push_back(R"({"checkpoint":{"seq":3,"hash":")" + hex_lower(hash) + R"("},"signature":")" +
                    to_base64(*p256_sign(key.view(), bytes_of(message))) + "\"}");
  }
  std::string text() const {
    std::string all;
    for (const std::string& line : lines) all += line + "\n";
    return all;
  }
  std::string page() const {
    std::string all;
    for (const std::string& line : lines) all += (all.empty() ? "" : ",") + line;
    return R"({"lines":[)" + all + R"(],"has_more":false,"serial_number":"ND000001","start":{"seq":0,"hash":")" +
           std::string(64, '0') + R"("},"certificate_pem":)" + Json::string(p256_to_spki_pem(point)).dump() + "}";
  }
};

TEST(Command, AuditExportPrintsALineAnObject) {
  FakeReader reader;
  const Journal journal;
  reader.on("audit_export", result(journal.page()));
  const Ran ran = run(reader, {"audit", "export"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.out, journal.text());
}

TEST(Command, AuditVerifyProvesALiveJournalAndAFile) {
  FakeReader reader;
  const Journal journal;
  reader.on("audit_export", result(journal.page()));
  const Ran live = run(reader, {"audit", "verify"});
  EXPECT_EQ(live.exit, 0) << live.out << live.err;
  EXPECT_THAT(live.out, HasSubstr("3 events, 1 to 3, 1 signed checkpoint verified"));
  const std::string file = file_with(reader, "journal.jsonl", journal.text());
  const std::string pem = file_with(reader, "reader.pem", p256_to_spki_pem(journal.point));
  EXPECT_EQ(run(reader, {"audit", "verify", file, "--certificate", pem, "--serial", "ND000001"}).exit, 0);
  EXPECT_THAT(run(reader, {"audit", "verify", file}).out, HasSubstr("No signature was checked"));
}

TEST(Command, AuditVerifySaysWhereAJournalWasChanged) {
  FakeReader reader;
  const Journal journal;
  const std::string pem = file_with(reader, "reader.pem", p256_to_spki_pem(journal.point));
  const auto verdict = [&](const std::vector<std::string>& lines, const std::string& serial = "ND000001") {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    const Ran ran =
        run(reader, {"audit", "verify", file_with(reader, "j", text), "--certificate", pem, "--serial", serial});
    EXPECT_EQ(ran.exit, 1);
    return ran.out;
  };
  auto lines = journal.lines;
  lines[1].replace(lines[1].find("link"), 4, "lynk");
  EXPECT_THAT(verdict(lines), HasSubstr("event 2 was changed"));
  lines = journal.lines;
  lines.erase(lines.begin() + 1);
  EXPECT_THAT(verdict(lines), HasSubstr("event 2 is missing"));
  lines = journal.lines;
  std::swap(lines[0], lines[1]);
  EXPECT_THAT(verdict(lines), HasSubstr("event"));
  lines = journal.lines;
  lines[3] = Journal().lines[3];  // another key
  EXPECT_THAT(verdict(lines), HasSubstr("not signed by this reader"));
  EXPECT_THAT(verdict(journal.lines, "ND000002"), HasSubstr("not signed by this reader"));
  lines = journal.lines;
  lines.erase(lines.begin() + 2);  // the last event cut off, its checkpoint kept
  EXPECT_THAT(verdict(lines), HasSubstr("stands after event 2"));
}

TEST(Command, AnUnreadableAnswerIsSaid) {
  FakeReader reader;
  reader.on("retrieve_offline_status", Reply{.raw = "rubbish\n"});
  EXPECT_EQ(run(reader, {"status"}).exit, 70);
}

TEST(Command, TextFromOutsideCannotSteerTheTerminal) {
  FakeReader reader;
  reader.on("retrieve_payment_intent", result(intent("stored", R"(,"description":"x\u001b[2J\u009by")")));
  const Ran ran = run(reader, {"show", "order-1"});
  EXPECT_THAT(ran.out, HasSubstr("x?[2J?y"));
}

}  // namespace
}  // namespace nightdrop::test
