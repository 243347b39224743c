// The reader's home: what is checked before anything is believed, and that a reader killed at any step is in factory
// state or provisioned as a whole.
#include "unit/provisioning/home.hpp"

#include <algorithm>
#include <fstream>
#include <set>

#include <sys/stat.h>

#include "crypto/primitives.hpp"
#include "nightdrop/durable_file.hpp"

namespace nightdrop::provisioning {
namespace {

namespace fs = std::filesystem;

using Home = HomeTest;

TEST_F(Home, FirstRunMakesAFactoryKeyThatStays) {
  x509::PublicKey key{};
  {
    const auto home = open();
    ASSERT_TRUE(home) << home.error().text;
    const ReaderHello facts = (*home)->facts();
    key = facts.factory_key;
    EXPECT_EQ(facts.state, ReaderState::Factory);
    EXPECT_EQ(facts.serial_number, serial);
    const auto signature = (*home)->sign_with_factory_key(bytes_of("hello"));
    EXPECT_TRUE(p256_verify(key, bytes_of("hello"), *signature));
    EXPECT_EQ(open().error().code, Errc::Busy) << "one process at a time";
  }
  EXPECT_EQ(open().value()->facts().factory_key, key);
  struct stat file{};
  ASSERT_EQ(::stat((home_ / "factory.key").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777U, 0600U);
  fs::permissions(home_ / "factory.key", fs::perms::group_read, fs::perm_options::add);
  EXPECT_EQ(open().error().code, Errc::InvalidArgument) << "a key that others can read";
  fs::permissions(home_ / "factory.key", fs::perms::owner_read | fs::perms::owner_write);
  std::ofstream(home_ / "factory.key") << "short";
  EXPECT_EQ(open().error().code, Errc::Corrupt);
}

TEST_F(Home, BecomesAReaderThatTheDaemonCanOpen) {
  const auto home = open();
  ASSERT_TRUE(home);
  const auto request = x509::parse_request((*home)->make_identity(serial).value());
  ASSERT_TRUE(request);
  EXPECT_EQ(request->common_name, serial);
  const auto installed = (*home)->install(installation(request->public_key, kbpk_), kbpk_);
  ASSERT_TRUE(installed) << installed.error();
  EXPECT_EQ(installed->initial_key_check_value, hex_upper(tr31::check_value_cmac(initial_key().view()).value()));
  EXPECT_FALSE(has("nightdrop.json")) << "nothing is in force before commit";
  EXPECT_FALSE(has("vault"));

  const std::array<std::uint8_t, 32> challenge{5};
  const auto proof = (*home)->prove(challenge);
  ASSERT_TRUE(proof) << proof.error();
  const std::string message = proof_message(serial, challenge);
  EXPECT_TRUE(p256_verify(request->public_key, bytes_of(message), proof->signature));
  EXPECT_EQ(dukpt::initial_key_id(proof->ksn), key_id);
  EXPECT_EQ(dukpt::transaction_counter(proof->ksn), 1U);
  const auto mac_key =
      dukpt::derive_working_key(initial_key().view(), proof->ksn, dukpt::Usage::MacGeneration, dukpt::KeyKind::Aes128);
  EXPECT_EQ(proof->mac, cmac(BlockCipher::Aes, mac_key->view(), bytes_of(message)).value());

  ASSERT_TRUE((*home)->commit());
  EXPECT_FALSE(has(".new"));
  const ReaderHello facts = (*home)->facts();
  EXPECT_EQ(facts.state, ReaderState::Provisioned);
  EXPECT_EQ(facts.initial_key_id, hex_lower(key_id));
  const auto config = load_config((home_ / "nightdrop.json").string());
  ASSERT_TRUE(config);
  EXPECT_TRUE(fs::is_directory(config->queue_dir));
  EXPECT_TRUE(fs::is_directory(home_ / "run"));
  const auto vault = open_vault(config->vault_dir);
  ASSERT_TRUE(vault);
  ASSERT_TRUE((*vault)->resume({}, hal::Older::Refuse));
  const auto sealed = (*vault)->seal_card(bytes_of("card"), "aad", {}, {});
  ASSERT_TRUE(sealed);
  EXPECT_GT(dukpt::transaction_counter(sealed->ksn), 1U) << "the proof's counter value is spent";
  const auto certificate = x509::parse_certificate_pem(read_text_file(home_ / "reader.pem", 65536).value());
  EXPECT_EQ(facts.certificate_serial, certificate->serial_number);
}

TEST_F(Home, ForgetsWhatIsStaged) {
  const auto home = open();
  const auto request = x509::parse_request((*home)->make_identity(serial).value()).value();
  ASSERT_TRUE((*home)->install(installation(request.public_key, kbpk_), kbpk_));
  (*home)->forget_staged();
  EXPECT_FALSE(has(".new"));
  EXPECT_FALSE((*home)->prove(std::array<std::uint8_t, 32>{}));
  EXPECT_FALSE((*home)->commit());
  EXPECT_EQ((*home)->facts().state, ReaderState::Factory);
  const auto again = x509::parse_request((*home)->make_identity(serial).value()).value();
  EXPECT_NE(again.public_key, request.public_key) << "an identity key is of one session";
  EXPECT_FALSE((*home)->make_identity("ND000008"));
}

TEST_F(Home, ChecksEverythingBeforeItSaysYes) {
  const auto home = open();
  const Authority other("Somebody else's CA");
  const auto refusal = [&](const std::function<void(Installation&)>& spoil) {
    const auto request = x509::parse_request((*home)->make_identity(serial).value()).value();
    Installation what = installation(request.public_key, kbpk_);
    spoil(what);
    const auto installed = (*home)->install(what, kbpk_);
    EXPECT_EQ((*home)->prove(std::array<std::uint8_t, 32>{}).has_value(), installed.has_value());
    (*home)->forget_staged();
    return installed ? std::string("taken") : installed.error();
  };
  const auto file = [](Installation& what, std::string_view name) -> std::string& {
    return std::ranges::find(what.files, name, &File::name)->content;
  };
  EXPECT_EQ(refusal([](Installation&) {}), "taken");
  for (const std::string_view name : installed_files()) {
    EXPECT_EQ(refusal([&](Installation& w) { std::erase_if(w.files, [&](const File& f) { return f.name == name; }); }),
              std::string(name) + ": is missing");
    EXPECT_NE(refusal([&](Installation& w) { file(w, name) = "x"; }), "taken") << name;
  }
  EXPECT_EQ(refusal([](Installation& w) { w.files.push_back(w.files.front()); }),
            "manufacturing_ca.pem: is there twice");
  EXPECT_EQ(refusal([](Installation& w) { w.files.push_back({"../x", "y"}); }),
            "files: there is one that is no part of an installation");
  EXPECT_EQ(refusal([&](Installation& w) { file(w, "manufacturing_ca.pem") = other.certificate().pem(); }),
            "manufacturing_ca.pem: is not the authority that this reader was made to believe");
  const auto stranger = x509::MemoryKey::generate().value();
  EXPECT_EQ(refusal([&](Installation& w) {
              file(w, "reader.pem") = authority_.issue(stranger.public_key(), serial, x509::Purpose::Client).pem();
            }),
            "reader.pem: is not of this reader's identity key");
  const auto own = [&](Installation& w) { return x509::parse_certificate_pem(file(w, "reader.pem"))->public_key; };
  EXPECT_EQ(refusal([&](Installation& w) {
              file(w, "reader.pem") = authority_.issue(own(w), "ND000008", x509::Purpose::Client).pem();
            }),
            "reader.pem: is of another serial number");
  for (const auto& [issuer, purpose, until] :
       {std::tuple{&other, x509::Purpose::Client, test_now + a_day},
        std::tuple{std::as_const(authority_).certificate().der.empty() ? &other : &authority_, x509::Purpose::Station,
                   test_now + a_day},
        std::tuple{&other, x509::Purpose::Client, test_now - 1}}) {
    EXPECT_TRUE(refusal([&](Installation& w) {
                  file(w, "reader.pem") = issuer->issue(own(w), serial, purpose, until).pem();
                }).starts_with("reader.pem: "));
  }
  EXPECT_TRUE(refusal([&](Installation& w) { file(w, "policy.json") += " "; }).starts_with("policy.json: "));
  EXPECT_TRUE(refusal([&](Installation& w) {
                file(w, "policy_signer.pem") = stranger.public_pem().value();
              }).starts_with("policy.json: "));
  EXPECT_EQ(refusal([&](Installation& w) {
              file(w, "policy.json") = policy_text(test_now - a_day);
              file(w, "policy.json.sig") = to_base64(signer_.sign(bytes_of(file(w, "policy.json"))).value());
            }),
            "policy.json: valid_until: is past");
  EXPECT_EQ(refusal([&](Installation& w) { file(w, "nightdrop.json") = configuration("ND000008"); }),
            "nightdrop.json: serial_number: is another reader's");
  for (const auto& [from, to, field] :
       {std::tuple{R"("vault")", R"("/tmp/vault")", "vault_dir"},
        std::tuple{R"("ca.pem")", R"("../ca.pem")", "acquirer.ca_file"},
        std::tuple{R"("policy.json")", R"("p.json")", "policy_file"}, std::tuple{R"("queue")", R"(".")", "queue_dir"},
        std::tuple{R"("queue")", R"("queue/../..")", "queue_dir"}, std::tuple{R"("queue")", R"("/")", "queue_dir"}}) {
    const std::string reason = refusal([&, f = from, t = to](Installation& w) {
      std::string& text = file(w, "nightdrop.json");
      text.replace(text.find(f), std::string_view(f).size(), t);
    });
    EXPECT_TRUE(reason.starts_with(std::string("nightdrop.json: ") + field)) << reason;
  }
}

TEST_F(Home, ChecksTheKeyBlocks) {
  const auto home = open();
  const auto refusal = [&](const std::function<void(Installation&)>& spoil) {
    const auto request = x509::parse_request((*home)->make_identity(serial).value()).value();
    Installation what = installation(request.public_key, kbpk_);
    spoil(what);
    const auto installed = (*home)->install(what, kbpk_);
    return installed ? std::string("taken") : installed.error();
  };
  EXPECT_TRUE(refusal([](Installation& w) { w.initial_key_block.back() ^= 1; }).starts_with("initial_key_block: "));
  EXPECT_TRUE(refusal([](Installation& w) {
                std::swap(w.initial_key_block, w.fingerprint_key_block);
              }).starts_with("initial_key_block: "));
  EXPECT_TRUE(refusal([](Installation& w) { w.fingerprint_key_block.clear(); }).starts_with("fingerprint_key_block: "));
  EXPECT_EQ(refusal([this](Installation& w) {
              tr31::Header header;
              header.usage = tr31::usage::initial_key;
              header.mode_of_use = 'X';
              w.initial_key_block = tr31::wrap(kbpk_, header, initial_key().view()).value();
            }),
            "initial_key_block: has no optional block IK");
  EXPECT_TRUE(refusal([](Installation& w) {
                const std::vector<std::uint8_t> another(32, 0x5B);
                w.initial_key_block =
                    tr31::wrap(another, tr31::make_initial_key_header(key_id, initial_key().view()).value(),
                               initial_key().view())
                        .value();
              }).starts_with("initial_key_block: "))
      << "a block of another session";
}

TEST_F(Home, KilledAtAnyStepIsInFactoryStateOrProvisionedWhole) {
  std::vector<std::string> steps;
  {
    const auto home = open([&](std::string_view step) { steps.emplace_back(step); });
    provision(**home);
  }
  ASSERT_GT(steps.size(), 15U);
  const auto marked = static_cast<std::size_t>(std::ranges::find(steps, "commit mark") - steps.begin());
  for (std::size_t at = 0; at < steps.size(); ++at) {
    fs::remove_all(home_);
    std::size_t reached = 0;
    bool killed = false;
    try {
      const auto home = open([&](std::string_view) {
        if (reached++ == at) throw Killed{};
      });
      provision(**home);
    } catch (const Killed&) {
      killed = true;
    }
    ASSERT_TRUE(killed) << steps[at];
    // The daemon knows nothing of staging: where it finds a configuration, what that speaks of is there.
    if (has("nightdrop.json")) {
      EXPECT_TRUE(open_vault(home_ / "vault")) << steps[at];
      EXPECT_TRUE(has("queue")) << steps[at];
      for (const std::string_view name : installed_files()) EXPECT_TRUE(fs::exists(home_ / name)) << steps[at];
    }
    // The next start may be killed, too.
    try {
      (void)open([](std::string_view) { throw Killed{}; });
    } catch (const Killed&) {
    }
    const auto home = open();
    ASSERT_TRUE(home) << steps[at] << ": " << home.error().text;
    EXPECT_FALSE(has(".new")) << steps[at];
    const bool provisioned = (*home)->facts().state == ReaderState::Provisioned;
    EXPECT_EQ(provisioned, at > marked) << steps[at];
    if (provisioned) {
      EXPECT_TRUE(load_config((home_ / "nightdrop.json").string())) << steps[at];
      EXPECT_TRUE(open_vault(home_ / "vault")) << steps[at];
      for (const std::string_view name : installed_files()) EXPECT_TRUE(fs::exists(home_ / name)) << steps[at];
      EXPECT_EQ((*home)->facts().initial_key_id, hex_lower(key_id)) << steps[at];
    } else {
      EXPECT_FALSE(has("vault")) << steps[at];
      provision(**home);
    }
  }
}

TEST_F(Home, ErasesByAnOrderForThisReaderAlone) {
  const auto home = open();
  provision(**home);
  const std::string certificate = (*home)->facts().certificate_serial;
  const auto reason = [&](const std::string& text) {
    const auto erased = (*home)->erase(text);
    return erased ? std::string("erased") : erased.error();
  };
  const std::string good = order(certificate);
  EXPECT_EQ(reason("{}"), "order: is missing");
  EXPECT_EQ(reason("no JSON"), "order: is no JSON object");
  EXPECT_EQ(reason(order(certificate, "ND000008")), "order.serial_number: is another reader's");
  EXPECT_EQ(reason(order("ff")), "order.certificate_serial: is not of the certificate that this reader has");
  EXPECT_EQ(reason(order(certificate, serial, test_now)), "order.valid_until: is past");
  std::string changed = good;
  changed.replace(changed.find("valid_until") + 15, 1, "9");
  EXPECT_EQ(reason(changed), "signature: is not by the certificate's key");
  const Authority other("Somebody else's CA");
  const Station stranger(other);
  EXPECT_TRUE(reason(make_erase_order({serial, certificate, test_now + 1, std::string(32, '1')},
                                      stranger.identity.chain, stranger.identity.signer)
                         .value())
                  .starts_with("certificates: "));
  for (const auto purpose : {x509::Purpose::Client, x509::Purpose::Station}) {
    const Station another(authority_, purpose);
    EXPECT_TRUE(reason(make_erase_order({serial, certificate, test_now + 1, std::string(32, '1')},
                                        another.identity.chain, another.identity.signer)
                           .value())
                    .starts_with("certificates: "))
        << "neither a reader's certificate nor a station's orders anything";
  }
  waiting_ = "state: 3 payments wait; export them first";
  EXPECT_EQ(reason(good), waiting_);
  waiting_.clear();
  {
    const auto at_work = open_vault(home_ / "vault");
    ASSERT_TRUE(at_work);
    EXPECT_EQ(reason(good), "state: the reader is at work; stop its daemon first");
  }
  EXPECT_EQ((*home)->facts().state, ReaderState::Provisioned);
  std::ofstream(home_ / "queue" / "queue.db") << "payments";
  std::ofstream(home_ / "queue" / "sealed-export-1.ndjson") << "waits";
  const auto key = (*home)->facts().factory_key;
  EXPECT_EQ(reason(good), "erased");
  EXPECT_EQ((*home)->facts().state, ReaderState::Factory);
  EXPECT_EQ((*home)->facts().factory_key, key);
  for (const char* name :
       {"vault", "nightdrop.json", "nightdrop.json.erased", "reader.pem", "policy.json", "queue/queue.db"}) {
    EXPECT_FALSE(has(name)) << name;
  }
  EXPECT_TRUE(has("queue/sealed-export-1.ndjson")) << "payments that are nowhere else";
  provision(**home);
  EXPECT_EQ(reason(good), "order.certificate_serial: is not of the certificate that this reader has")
      << "an order serves once";
}

TEST_F(Home, KilledWhileErasingItNeverWorksAgainAndEndsInFactoryState) {
  std::vector<std::string> steps;
  const auto erase = [&](const std::function<void(std::string_view)>& crash_point) {
    fs::remove_all(home_);
    std::string certificate;
    {
      const auto home = open();
      provision(**home);
      certificate = (*home)->facts().certificate_serial;
    }
    try {
      const auto home = open(crash_point);
      EXPECT_TRUE((*home)->erase(order(certificate)));
      return true;
    } catch (const Killed&) {
      return false;
    }
  };
  ASSERT_TRUE(erase([&](std::string_view step) { steps.emplace_back(step); }));
  ASSERT_GT(steps.size(), 8U);
  for (std::size_t at = 0; at < steps.size(); ++at) {
    std::size_t reached = 0;
    ASSERT_FALSE(erase([&](std::string_view) {
      if (reached++ == at) throw Killed{};
    })) << steps[at];
    EXPECT_EQ(has("nightdrop.json"), at == 0) << steps[at];
    try {
      (void)open([](std::string_view) { throw Killed{}; });
    } catch (const Killed&) {
    }
    const auto home = open();
    ASSERT_TRUE(home) << steps[at] << ": " << home.error().text;
    EXPECT_EQ((*home)->facts().state, at == 0 ? ReaderState::Provisioned : ReaderState::Factory) << steps[at];
    EXPECT_EQ(has("vault"), at == 0) << steps[at];
    EXPECT_FALSE(has("nightdrop.json.erased")) << steps[at];
  }
}

TEST_F(Home, AWholeSessionOverALine) {
  const auto home = open();
  const auto [ours, theirs] = make_line();
  ServedReader reader(stream_of(theirs), **home, authority_);
  {
    const Station station(authority_);
    const auto stream = stream_of(ours);
    auto session = StationSession::open(*stream, station.identity, anybody, quick_station);
    ASSERT_TRUE(session) << session.error().message;
    const auto request = x509::parse_request((*session)->make_identity(serial).value());
    ASSERT_TRUE(request);
    const auto installed = (*session)->install(installation(request->public_key, (*session)->kbpk()));
    ASSERT_TRUE(installed) << installed.error().message;
    ASSERT_TRUE((*session)->prove(std::array<std::uint8_t, 32>{1}));
    ASSERT_TRUE((*session)->commit());
    auto again = StationSession::open(*stream, station.identity, anybody, quick_station);
    ASSERT_TRUE(again);
    EXPECT_EQ((*again)->reader().state, ReaderState::Provisioned);
    EXPECT_TRUE((*again)->erase(order((*again)->reader().certificate_serial)));
  }
  reader.join();
  EXPECT_EQ((*home)->facts().state, ReaderState::Factory);
}

}  // namespace
}  // namespace nightdrop::provisioning
