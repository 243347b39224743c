// The session between an honest station and an honest reader, and who is not believed.
#include "unit/provisioning/world.hpp"

#include <algorithm>

#include "provisioning/handshake.hpp"

namespace nightdrop::provisioning {
namespace {

class Session : public testing::Test {
 protected:
  // Opens as `identity`; the reader notes why it broke off, as often as that.
  Failure refused(const StationIdentity& identity, std::size_t notes = 1) {
    const auto [ours, theirs] = make_line();
    ServedReader reader(stream_of(theirs), home, authority);
    Failure failure;
    {
      const auto stream = stream_of(ours);
      const auto session = StationSession::open(*stream, identity, anybody, quick_station);
      EXPECT_FALSE(session);
      if (!session) failure = session.error();
    }
    EXPECT_EQ(reader.join().size(), notes);
    EXPECT_FALSE(home.staged);
    return failure;
  }

  Authority authority;
  Station station{authority};
  NotingHome home;
};

TEST_F(Session, GoesThroughAllItsSteps) {
  const auto [ours, theirs] = make_line();
  ServedReader reader(stream_of(theirs), home, authority);
  {
    const auto stream = stream_of(ours);
    auto session = StationSession::open(*stream, station.identity, anybody, quick_station);
    ASSERT_TRUE(session) << session.error().message;
    EXPECT_EQ((*session)->reader().serial_number, "ND000007");
    EXPECT_EQ((*session)->reader().factory_key, home.hello.factory_key);
    EXPECT_EQ((*session)->reader().state, ReaderState::Factory);
    EXPECT_EQ((*session)->kbpk().size(), 32U);
    EXPECT_EQ((*session)->make_identity("ND000007"), (x509::Bytes{1, 2, 3}));
    EXPECT_TRUE(home.staged);
    const auto installed = (*session)->install(small_installation());
    ASSERT_TRUE(installed) << installed.error().message;
    EXPECT_EQ(installed->initial_key_check_value, "0123456789");
    EXPECT_TRUE(std::ranges::equal((*session)->kbpk(), home.kbpk)) << "both ends have one key";
    EXPECT_EQ(home.installation.files.at(0).content, "{}\n");
    const auto proof = (*session)->prove(std::array<std::uint8_t, 32>{1});
    ASSERT_TRUE(proof);
    EXPECT_EQ(proof->mac, x509::Bytes(16, 9));
    EXPECT_EQ(home.commits, 0);
    EXPECT_TRUE((*session)->commit());
    EXPECT_FALSE((*session)->commit()) << "the session is over";
  }
  EXPECT_TRUE(reader.join().empty());
  EXPECT_EQ(home.commits, 1);
}

TEST_F(Session, AProvisionedReaderTellsItsStateAndTakesAnEraseAlone) {
  ASSERT_TRUE(home.commit());
  const auto [ours, theirs] = make_line();
  ServedReader reader(stream_of(theirs), home, authority);
  {
    const auto stream = stream_of(ours);
    auto session = StationSession::open(*stream, station.identity, anybody, quick_station);
    ASSERT_TRUE(session);
    EXPECT_EQ((*session)->reader().state, ReaderState::Provisioned);
    EXPECT_EQ((*session)->reader().certificate_serial, "0a");
    EXPECT_EQ((*session)->reader().initial_key_id, "0011223344556677");
    const auto made = (*session)->make_identity("ND000007");
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().kind, Failure::Kind::Refused);
    auto again = StationSession::open(*stream, station.identity, anybody, quick_station);
    ASSERT_TRUE(again);
    EXPECT_TRUE((*again)->erase("an order"));
  }
  reader.join();
  EXPECT_EQ(home.erasures, 1);
}

TEST_F(Session, StepsOutOfTheirOrderAreRefusedByName) {
  const auto refusal = [this](const std::function<std::optional<Failure>(StationSession&)>& ask) {
    const auto [ours, theirs] = make_line();
    ServedReader reader(stream_of(theirs), home, authority);
    const auto stream = stream_of(ours);
    auto session = StationSession::open(*stream, station.identity, anybody, quick_station);
    EXPECT_TRUE(session);
    const auto failure = ask(**session);
    EXPECT_TRUE(failure && failure->kind == Failure::Kind::Refused);
    return failure ? failure->message : std::string();
  };
  const auto failed = [](const auto& done) { return done ? std::nullopt : std::optional(done.error()); };
  EXPECT_EQ(refusal([&](StationSession& s) { return failed(s.install(small_installation())); }),
            "type: install comes once, after make_identity");
  EXPECT_EQ(refusal([&](StationSession& s) { return failed(s.prove(std::array<std::uint8_t, 32>{})); }),
            "type: prove comes after install");
  EXPECT_EQ(refusal([&](StationSession& s) { return failed(s.commit()); }), "type: commit comes after prove");
  EXPECT_EQ(refusal([&](StationSession& s) {
              EXPECT_TRUE(s.make_identity("ND000007"));
              EXPECT_TRUE(s.install(small_installation()));
              return failed(s.commit());
            }),
            "type: commit comes after prove");
  EXPECT_EQ(refusal([&](StationSession& s) { return failed(s.erase("an order")); }),
            "state: the reader is in factory state, there is nothing to erase");
  home.refusal = "policy.json: version: is older";
  EXPECT_EQ(refusal([&](StationSession& s) {
              EXPECT_TRUE(s.make_identity("ND000007"));
              return failed(s.install(small_installation()));
            }),
            home.refusal);
  EXPECT_EQ(home.commits, 0);
}

TEST_F(Session, ARefusalWipesWhatIsStagedAndEndsTheSession) {
  home.refusal = "ca.pem: is missing";
  const auto [ours, theirs] = make_line();
  ServedReader reader(stream_of(theirs), home, authority);
  {
    const auto stream = stream_of(ours);
    EXPECT_EQ(provision(*stream, station.identity).error().message, home.refusal);
    home.refusal.clear();
    EXPECT_TRUE(provision(*stream, station.identity)) << "the next session is a new one";
  }
  EXPECT_EQ(reader.join().size(), 1U);
  EXPECT_EQ(home.forgotten, 1);
}

// A reader that somebody made to steer the station's terminal.
TEST_F(Session, WhatAReaderSaysIsShortAndPrintable) {
  home.refusal = "vault: \x1b[2J\r\nall good\x7f \xc2\x9b" + std::string(100'000, 'x');
  const auto [ours, theirs] = make_line();
  ServedReader reader(stream_of(theirs), home, authority);
  {
    const auto stream = stream_of(ours);
    const std::string shown = provision(*stream, station.identity).error().message;
    EXPECT_TRUE(shown.starts_with("vault: ?[2J??all good? ??xxx")) << shown.substr(0, 40);
    EXPECT_EQ(shown.size(), 300U);
  }
  EXPECT_EQ(reader.join().size(), 1U);
}

TEST_F(Session, StationsThatAreNotBelieved) {
  const Authority other("Somebody else's CA");
  EXPECT_EQ(refused(Station(other).identity).kind, Failure::Kind::Authentication);
  EXPECT_EQ(refused(Station(authority, x509::Purpose::Client).identity).kind, Failure::Kind::Authentication);
  EXPECT_EQ(refused(Station(authority, x509::Purpose::Server).identity).kind, Failure::Kind::Authentication);
  EXPECT_EQ(refused(Station(authority, x509::Purpose::Orders).identity).kind, Failure::Kind::Authentication);
  EXPECT_EQ(refused(Station(authority, x509::Purpose::Station, test_now - 1).identity).kind,
            Failure::Kind::Authentication);
  StationIdentity stolen = station.identity;  // the certificate without its key
  const Station another(authority);
  stolen.signer = another.identity.signer;
  EXPECT_EQ(refused(stolen).kind, Failure::Kind::Authentication);
  StationIdentity itself = station.identity;
  itself.chain = {authority.certificate()};
  EXPECT_EQ(refused(itself).kind, Failure::Kind::Authentication);
  EXPECT_EQ(home.commits, 0);
}

TEST_F(Session, AReaderThatDoesNotHaveTheKeyItNames) {
  home.factory_key = p256_generate().value();
  EXPECT_EQ(refused(station.identity, 0).kind, Failure::Kind::Authentication) << "the station goes away";
}

TEST_F(Session, AReaderThatTheStationDoesNotWantLearnsNothingOfTheStation) {
  const auto [ours, theirs] = make_line();
  std::size_t sent = 0;
  ServedReader reader(stream_of(theirs), home, authority);
  {
    HarmedStream stream(stream_of(ours), [&](std::span<const std::uint8_t> bytes) {
      sent += bytes.size();
      return std::vector<std::uint8_t>(bytes.begin(), bytes.end());
    });
    const auto session = StationSession::open(
        stream, station.identity,
        [](const ReaderHello&) -> std::expected<void, std::string> { return std::unexpected("another factory key"); },
        quick_station);
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().message, "another factory key");
  }
  EXPECT_EQ(sent, frame_header_size + 98) << "a Hello and no more";
}

TEST_F(Session, EachHasKeysOfItsOwn) {
  std::vector<std::vector<std::uint8_t>> keys;
  for (int i = 0; i < 2; ++i) {
    const auto [ours, theirs] = make_line();
    ServedReader reader(stream_of(theirs), home, authority);
    const auto stream = stream_of(ours);
    const auto session = StationSession::open(*stream, station.identity, anybody, quick_station);
    ASSERT_TRUE(session);
    keys.emplace_back((*session)->kbpk().begin(), (*session)->kbpk().end());
  }
  EXPECT_NE(keys[0], keys[1]);
}

TEST(Handshake, EveryByteOfItChangesTheKeys) {
  const std::array<std::uint8_t, 32> shared{1};
  Bytes station(98, 3);
  Bytes reader(200, 4);
  Auth auth{{Bytes(300, 5)}, Bytes(70, 6)};
  const auto kbpk = [&] {
    const SessionKeys keys = derive_session_keys(shared, station, reader, auth);
    return std::vector<std::uint8_t>(keys.kbpk.view().begin(), keys.kbpk.view().end());
  };
  const auto first = kbpk();
  for (Bytes* part : {&station, &reader, &auth.chain[0]}) {
    for (std::uint8_t& byte : *part) {
      byte ^= 0x40;
      ASSERT_NE(kbpk(), first);
      byte ^= 0x40;
    }
  }
  // A byte that moves from one part to the next is another handshake, too.
  reader.insert(reader.begin(), station.back());
  station.pop_back();
  EXPECT_NE(kbpk(), first);
}

TEST(Handshake, MessagesAreWholeOrNone) {
  const HelloHead head;
  const SignedHello hello{head, "{}", Bytes(70, 1)};
  const Auth auth{{Bytes(300, 5), Bytes(280, 6)}, Bytes(71, 6)};
  const Bytes station = encode_hello(head);
  const Bytes reader = encode_reader_hello(hello);
  const Bytes proof = encode_auth(auth);
  ASSERT_TRUE(decode_hello(station));
  EXPECT_EQ(decode_reader_hello(reader)->facts, "{}");
  EXPECT_EQ(decode_auth(proof)->chain, auth.chain);
  for (std::size_t size = 0; size < station.size(); ++size) ASSERT_FALSE(decode_hello(std::span(station).first(size)));
  for (std::size_t size = 0; size < reader.size(); ++size) {
    ASSERT_FALSE(decode_reader_hello(std::span(reader).first(size)));
  }
  for (std::size_t size = 0; size < proof.size(); ++size) ASSERT_FALSE(decode_auth(std::span(proof).first(size)));
  for (Bytes longer : {station, reader, proof}) {
    longer.push_back(0);
    EXPECT_FALSE(decode_hello(longer));
    EXPECT_FALSE(decode_reader_hello(longer));
    EXPECT_FALSE(decode_auth(longer));
  }
}

TEST(Handshake, FactsAreStrict) {
  NotingHome home;
  const std::string factory = encode_facts(home.hello);
  ASSERT_TRUE(home.commit());
  const std::string provisioned = encode_facts(home.hello);
  ASSERT_TRUE(decode_facts(factory));
  EXPECT_EQ(decode_facts(provisioned)->initial_key_id, home.hello.initial_key_id);
  for (std::size_t size = 0; size < factory.size(); ++size) ASSERT_FALSE(decode_facts(factory.substr(0, size)));
  EXPECT_FALSE(decode_facts(std::string(factory).replace(1, 0, R"("more":1,)")));
  EXPECT_FALSE(decode_facts(std::string(provisioned).replace(provisioned.find("provisioned"), 11, "factory")))
      << "a reader in factory state has no certificate";
  EXPECT_FALSE(decode_facts(std::string(factory).replace(factory.find("factory\""), 7, "fac")));
}

}  // namespace
}  // namespace nightdrop::provisioning
