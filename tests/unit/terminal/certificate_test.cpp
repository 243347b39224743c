// A certificate that runs out, in virtual time: told of once a day, renewed when there is a path, kept when anything
// fails.
#include <gtest/gtest.h>

#include "nightdrop/encoding.hpp"
#include "unit/terminal/bench.hpp"

namespace nightdrop::test {
namespace {

constexpr std::int64_t hour = 3'600'000;
constexpr std::int64_t day = 24 * hour;

class FakeCertificate final : public hal::IdentityCertificate {
 public:
  UtcMs not_after() const override { return end; }
  bool renewable() const override { return has_authority; }
  Result<std::vector<std::uint8_t>> request() override {
    if (vault_fails) return failure(Errc::Unavailable, "the vault is busy");
    ++requests;
    return std::vector<std::uint8_t>{0x30, static_cast<std::uint8_t>(requests)};
  }
  Result<void> accept(std::string_view chain_pem, UtcMs) override {
    offered.emplace_back(chain_pem);
    if (refuses) return std::unexpected(*refuses);
    end += 730 * day;
    return {};
  }

  UtcMs end{Bench::utc + 31 * day};
  bool has_authority{true};
  bool vault_fails{false};
  std::optional<Error> refuses;
  int requests{0};
  std::vector<std::string> offered;
};

class Certificate : public testing::Test {
 protected:
  Certificate() {
    bench.crash();
    bench.certificate = &certificate;
    bench.host.answer = [this](const hal::HostRequest& request) -> std::optional<hal::HostOutcome> {
      if (request.path != "/v1/certificate") return bench.acquirer(request);
      return answer;
    };
    bench.start();
  }
  std::size_t asked() const { return bench.host.sent_to("POST", "/v1/certificate").size(); }
  std::size_t told(std::string_view type) { return bench.events(type).size(); }
  // A failure's reason.
  std::string reason() {
    const auto failures = bench.event_data("certificate.renewal_failed");
    return failures.empty() ? "none" : std::string(failures.back()["reason"].string().value_or(""));
  }

  FakeCertificate certificate;
  Bench bench;
  hal::HostOutcome answer{Bench::reply(200, R"({"certificate":"new chain"})")};
};

TEST_F(Certificate, IsToldOfFromThirtyDaysBeforeOnceADay) {
  certificate.has_authority = false;
  bench.advance(day - hour);
  EXPECT_EQ(told("certificate.expiring"), 0U);
  const auto before = bench.terminal->offline_status();
  ASSERT_TRUE(before && before->certificate);
  EXPECT_FALSE(before->certificate->expires_soon);
  bench.advance(2 * hour);
  ASSERT_EQ(told("certificate.expiring"), 1U);
  const auto data = bench.event_data("certificate.expiring");
  EXPECT_EQ(data[0]["not_after"].string(), rfc3339(certificate.end));
  EXPECT_EQ(data[0]["expired"].boolean(), false);
  EXPECT_EQ(data[0]["renewable"].boolean(), false);
  EXPECT_TRUE(bench.terminal->offline_status()->certificate->expires_soon);
  bench.advance(3 * day);
  EXPECT_EQ(told("certificate.expiring"), 4U);
  EXPECT_EQ(asked(), 0U) << "a new one could not be checked";
}

TEST_F(Certificate, IsRenewedWhenThereIsAPath) {
  bench.advance(2 * day);
  EXPECT_EQ(asked(), 0U) << "there is no path";
  bench.online();
  bench.advance(hour);
  ASSERT_EQ(asked(), 1U);
  const auto request = bench.host.sent_to("POST", "/v1/certificate")[0];
  EXPECT_EQ(request.body, "{\"csr\":\"" + to_base64(std::array<std::uint8_t, 2>{0x30, 1}) + "\"}");
  EXPECT_FALSE(header(request, "Nightdrop-Reader").empty());
  EXPECT_EQ(certificate.offered, std::vector<std::string>{"new chain"});
  const auto renewed = bench.event_data("certificate.renewed");
  ASSERT_EQ(renewed.size(), 1U);
  EXPECT_EQ(renewed[0]["not_after"].string(), rfc3339(certificate.end));
  EXPECT_EQ(renewed[0]["previous_not_after"].string(), rfc3339(certificate.end - 730 * day));
  const std::size_t warnings = told("certificate.expiring");
  bench.advance(10 * day);
  EXPECT_EQ(asked(), 1U);
  EXPECT_EQ(told("certificate.expiring"), warnings);
  EXPECT_FALSE(bench.terminal->offline_status()->certificate->expires_soon);
}

TEST_F(Certificate, EachFailureIsReportedAndAskedAgainADayLater) {
  bench.online();
  struct Case {
    hal::HostOutcome answer;
    const char* reason;
  };
  const std::vector<Case> cases{
      {hal::NotSent{"no route", false}, "no_answer"},
      {hal::Unknown{"cut", false}, "no_answer"},
      {Bench::reply(404, R"({"error":{"code":"renewal_unknown","message":""}})"), "not_offered"},
      {Bench::reply(422, R"({"error":{"code":"csr_key","message":""}})"), "refused"},
      {Bench::reply(503, R"({"error":{"code":"renewal_unavailable","message":""}})"), "unavailable"},
      {Bench::reply(404, "<html>"), "not_an_answer"},
      {Bench::reply(200, "{}"), "not_an_answer"},
      {Bench::reply(302, ""), "not_an_answer"},
  };
  answer = cases[0].answer;
  bench.advance(day + 2 * hour);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(told("certificate.renewal_failed"), i + 1) << i;
    EXPECT_EQ(reason(), cases[i].reason) << i;
    if (i + 1 < cases.size()) answer = cases[i + 1].answer;
    bench.advance(day);
  }
  EXPECT_TRUE(certificate.offered.empty());
  EXPECT_EQ(certificate.requests, 1) << "the same request each time: the acquirer answers it once";
}

TEST_F(Certificate, AnAnswerThatDoesNotFitIsNotTaken) {
  certificate.refuses = Error{Errc::WrongKey, 0, "the new certificate is for another key"};
  bench.online();
  bench.advance(day + 2 * hour);
  EXPECT_EQ(reason(), "not_valid");
  EXPECT_EQ(bench.event_data("certificate.renewal_failed")[0]["detail"].string(),
            "the new certificate is for another key");
  certificate.refuses = Error{Errc::DiskFull, 0, "the new file cannot be written"};
  bench.advance(day);
  EXPECT_EQ(reason(), "not_written");
  certificate.refuses.reset();
  bench.advance(day);
  EXPECT_EQ(told("certificate.renewed"), 1U) << "and it goes on trying";
}

TEST_F(Certificate, AVaultThatDoesNotSignIsAskedAgain) {
  certificate.vault_fails = true;
  bench.online();
  bench.advance(day + 2 * hour);
  EXPECT_EQ(reason(), "not_signed");
  certificate.vault_fails = false;
  bench.advance(day);
  EXPECT_EQ(told("certificate.renewed"), 1U);
}

TEST_F(Certificate, AClockThatIsNotTrustedSaysNothing) {
  bench.reboot(false);
  bench.advance(40 * day);
  EXPECT_EQ(told("certificate.expiring"), 0U);
  EXPECT_FALSE(bench.terminal->offline_status()->certificate->expires_soon);
}

TEST_F(Certificate, PaymentsGoOnWhileItIsAskedFor) {
  bench.host.answer = [this](const hal::HostRequest& request) -> std::optional<hal::HostOutcome> {
    if (request.path == "/v1/certificate") return std::nullopt;  // never answered
    return bench.acquirer(request);
  };
  bench.online();
  bench.advance(day + hour);
  ASSERT_EQ(asked(), 1U);
  EXPECT_EQ(bench.pay(1'000).text(), "succeeded");
  bench.advance(hour);
  EXPECT_EQ(reason(), "no_answer");
}

}  // namespace
}  // namespace nightdrop::test
