// Key blocks: a header that is read is written to the same characters, and unwrapping what another wrote ends in an
// error or in a key of a usage that was wanted. Seeds: published blocks; the first is under the KBPK that is used here.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "crypto/tr31_format.hpp"
#include "nightdrop/encoding.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern const char* const fuzz_seeds[];

const char* const fuzz_seeds[] = {
    "D0112P0AE00E0000B82679114F470F540165EDFBF7E250FCEA43F810D215F8D207E2E417C07156A27E8E31DA05F7425509593D03A457DC34",
    "B0104B0TX12S0100KS1800604B120F9292800000BB68BE8680A400D9191AD4ECE45B6E6C0D21C4738A52190E248719E24B433627",
    "D0144B1AX00S0200KS181ED9D5000000BC200000PB08UhKl4CD15D040FFB305ACC5B76A5003247C596951BF50618FB795C2FD4EE946841B3"
    "341F2CDE1E94852022E83EFBBBB71F9E",
    "D0000B1AX00N0300IK141234567890123456KC100112345678900LB0004000Cxx",
    "B0000P0TE00N0200KS00020AabTT001020000000000000010",
    nullptr};

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nightdrop;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto parsed = tr31::parse_header(text);
  if (!parsed) return 0;
  static_cast<void>(tr31::known_blocks(parsed->header));
  // Whole blocks get no padding, so the text comes back but for its length.
  const bool whole = parsed->size % 16 == 0;
  const auto written = tr31::header_text(parsed->header, 16, 0);
  if (whole && written) {
    ND_ASSERT(written->substr(0, 1) == text.substr(0, 1));
    ND_ASSERT(std::string_view(*written).substr(5) == text.substr(5, parsed->size - 5));
  }
  static const auto kbpk = from_hex("88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6");
  const auto block = tr31::unwrap(*kbpk, text, {tr31::usage::pin_encryption});
  if (block) ND_ASSERT(block->header.usage == "P0" && !block->key.empty());
  // The same header under a right MAC, for what is asked after that.
  constexpr std::array<std::uint8_t, 16> key{};
  parsed->header.version = 'D';
  const auto sealed = tr31::seal_block(*kbpk, parsed->header, key);
  if (sealed) static_cast<void>(tr31::unwrap(*kbpk, *sealed, {parsed->header.usage}));
  return 0;
}
