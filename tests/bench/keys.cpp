#include "tests/bench/keys.hpp"

#include <array>
#include <cstdlib>
#include <numeric>

#include "crypto/dukpt.hpp"
#include "crypto/p256.hpp"
#include "crypto/primitives.hpp"
#include "crypto/tr31.hpp"
#include "keys/line/provision_unit.hpp"
#include "tests/bench/bare.hpp"
#include "tests/bench/table.hpp"
#include "unit/station/world.hpp"

namespace nightdrop::bench {
namespace {

constexpr std::size_t card_bytes = 192;  // plaintext of an envelope, about
constexpr int blocks_a_payment = 2;      // the data key's, and one a counter value for the registers, on the average
constexpr int secrets_a_payment = 3;     // the data key, a child's key, the registers' copy

template <class T>
T got(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "bench: %s\n", result.error().text);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::string us(double s) {
  return text("%.1f us", s * 1e6);
}
std::string ms(double s) {
  return text("%.2f ms", s * 1e3);
}

void derive_and_seal(dukpt::DukptDevice& device, ByteView nonce, ByteView card) {
  const auto key = got(device.working_key(dukpt::Usage::DataEncrypt, dukpt::KeyKind::Aes128));
  static_cast<void>(got(aes_gcm_seal(key.view(), nonce, {}, card)));
  got(device.advance());
}

// The parts of one provisioning, each by itself.
struct Parts {
  std::vector<double> hsm, p256, syncs;
};

// As a unit needs them: the station's and the CA's signature, an initial key, the fingerprint key out and its check
// value.
void hsm_operations(keys::Hsm& hsm, const std::array<std::uint8_t, 4>& bdk) {
  const std::array<std::uint8_t, 32> digest{7};
  static_cast<void>(got(hsm.token().sign_digest("station", digest)));
  static_cast<void>(got(hsm.token().sign_digest("ca", digest)));
  static_cast<void>(hsm.derive_initial_key({bdk[0], bdk[1], bdk[2], bdk[3], 0xFF, 0, 0, 1}).value());
  tr31::Header header;
  header.usage = tr31::usage::hmac;
  header.algorithm = 'H';
  header.mode_of_use = 'C';
  const std::array<std::uint8_t, 32> kbpk{3};
  static_cast<void>(hsm.export_block("fingerprint/m_1", header, kbpk).value());
  static_cast<void>(hsm.check_value("fingerprint/m_1").value());
}

// Both ends: three key pairs, two agreements, three signatures, six checks.
void p256_operations() {
  const auto key = got(p256_generate());
  const auto other = got(p256_generate());
  static_cast<void>(got(p256_generate()));
  const auto point = got(p256_public_key(key.view()));
  const std::array<std::uint8_t, 32> digest{9};
  for (int i = 0; i < 2; ++i) static_cast<void>(got(p256_ecdh(other.view(), point)));
  std::vector<std::uint8_t> signature;
  for (int i = 0; i < 3; ++i) signature = got(p256_sign_digest(key.view(), digest));
  for (int i = 0; i < 6; ++i) got(p256_verify_digest(point, digest, signature));
}

}  // namespace

void bench_dukpt(int payments) {
  std::array<std::uint8_t, 16> initial_key{};
  std::array<std::uint8_t, card_bytes> card{};
  std::array<std::uint8_t, gcm_nonce_size> nonce{};
  const dukpt::InitialKeyId id{0x12, 0x34, 0x56, 0x78, 0, 0, 0, 1};
  auto device = got(dukpt::DukptDevice::load(initial_key, id));
  std::vector<double> payment, bare, blocks, pages;
  for (int i = 0; i < payments; ++i) {  // alternately, so that what disturbs the machine disturbs all
    payment.push_back(cpu_seconds([&] { derive_and_seal(device, nonce, card); }));
    bare.push_back(cpu_seconds([&] { static_cast<void>(got(aes_gcm_seal(initial_key, nonce, {}, card))); }));
    blocks.push_back(cpu_seconds([&] {
      std::array<std::uint8_t, 16> block{};
      for (int n = 0; n < blocks_a_payment; ++n) got(ecb_encrypt(BlockCipher::Aes, initial_key, block, block));
    }));
    pages.push_back(cpu_seconds([&] {
      for (int n = 0; n < secrets_a_payment; ++n) SecretBytes(ByteView(initial_key));
    }));
  }
  // The dearest value: everything below the highest bit is spent, and the 31 registers below that are filled at once.
  std::vector<double> worst;
  for (int i = 0; i < 50; ++i) {
    auto late = got(dukpt::DukptDevice::load(initial_key, id));
    got(late.skip_past(0x7FFF8000));
    worst.push_back(cpu_seconds([&] { derive_and_seal(late, nonce, card); }));
  }
  const auto mean = [](const std::vector<double>& all) {
    return std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(all.size());
  };
  const double each = mean(payment), seal = mean(bare), cipher = mean(blocks), locked = mean(pages);
  row("derive, seal, advance, mean", us(each), "bare AES-GCM seal " + us(seal), each / seal, "");
  row("derive, seal, advance, mean", us(each), "2 AES blocks " + us(cipher), each / cipher, "");
  row("derive, seal, advance, mean", us(each), "all 3 parts " + us(seal + cipher + locked),
      each / (seal + cipher + locked), "<= 1.5");
  row("  of it: 3 secrets on locked pages", us(locked), "of " + us(each), locked / each, "");
  row("derive, seal, advance, dearest counter", us(percentile(worst, 0.5)), "mean " + us(each),
      percentile(worst, 0.5) / each, "<= 17");
}

void bench_provisioning(int readers, const std::filesystem::path& dir) {
  const keys::MadeStation made;
  auto station = keys::Station::open(made.folder()).value();
  const auto recipe = keys::make_recipe(*station, {.policy_file = made.path("policy.json"),
                                                   .config_template = made.path("template.json"),
                                                   .acquirer_url = "",
                                                   .acquirer_ca_file = "",
                                                   .acquirer_dir = made.path("acquirer"),
                                                   .bdk_id = ""})
                          .value();
  constexpr int commits = 8;  // the station's own, and the certificate for the acquirer
  BareFile file(dir / "station.bin");
  std::vector<double> whole;
  Parts parts;
  for (int i = -1; i < readers; ++i) {  // -1 warms up
    const std::string serial = text("ND%06d", i + 1);
    keys::MemoryHome home(serial);
    const keys::ListeningReader reader(home, made.authority(), made.path(serial + ".sock"));
    const keys::Order order{"bench", serial, "m_1", "unix:" + made.path(serial + ".sock"), ""};
    const double took = seconds([&] {
      if (const auto done = keys::run_unit({*station, recipe, keys::now}, order); !done) {
        std::fprintf(stderr, "bench: %s\n", done.error().message.c_str());
        std::exit(1);
      }
    });
    const double hsm = seconds([&] { hsm_operations(station->hsm(), recipe.bdk_id); });
    const double p256 = seconds(p256_operations);
    const double syncs = seconds([&] {
      for (int n = 0; n < commits; ++n) file.write_and_sync();
    });
    if (i < 0) continue;
    whole.push_back(took);
    parts.hsm.push_back(hsm);
    parts.p256.push_back(p256);
    parts.syncs.push_back(syncs);
  }
  const double p50 = percentile(whole, 0.5), hsm = percentile(parts.hsm, 0.5), p256 = percentile(parts.p256, 0.5),
               syncs = percentile(parts.syncs, 0.5);
  row("provisioning a reader, p50", ms(p50), "HSM, P-256, syncs " + ms(hsm + p256 + syncs), p50 / (hsm + p256 + syncs),
      "<= 2");
  row("  of it: SoftHSM, 2 signatures and 3 more", ms(hsm), "of " + ms(p50), hsm / p50, "");
  row("  of it: P-256 at both ends", ms(p256), "of " + ms(p50), p256 / p50, "");
  row("  of it: 8 x 4 KiB write+sync", ms(syncs), "of " + ms(p50), syncs / p50, "");
}

}  // namespace nightdrop::bench
