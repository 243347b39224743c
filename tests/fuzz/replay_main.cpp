// The small fuzzer of the default run, where there is no libFuzzer: mutates a target's own seeds, the same way each
// time. NIGHTDROP_FUZZ_ROUNDS sets how often.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern const char* const fuzz_seeds[];

namespace {

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

std::string mutate(std::string text, const std::vector<std::string>& seeds, std::mt19937_64& random) {
  const auto below = [&](std::size_t end) { return end == 0 ? 0 : static_cast<std::size_t>(random() % end); };
  for (std::size_t times = 1 + below(4); times > 0; --times) {
    const std::size_t at = below(text.size());
    switch (random() % 6) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(random());
        break;
      case 1: text.erase(at, below(8)); break;
      case 2: text.insert(at, 1, "{}[]\",:0-9\\eu\x80\xff"[below(15)]); break;
      case 3: text.resize(at); break;
      case 4: text.insert(at, text.substr(below(text.size()), below(16))); break;
      default: {
        const std::string& other = seeds[below(seeds.size())];
        text = text.substr(0, at) + other.substr(below(other.size()));
      }
    }
  }
  return text;
}

}  // namespace

int main() {
  std::vector<std::string> seeds;
  for (const char* const* seed = fuzz_seeds; *seed != nullptr; ++seed) seeds.emplace_back(*seed);
  const char* wanted = std::getenv("NIGHTDROP_FUZZ_ROUNDS");
  const long rounds = wanted != nullptr ? std::atol(wanted) : 20'000;
  std::mt19937_64 random(1);
  for (const std::string& seed : seeds) run(seed);
  for (long i = 0; i < rounds; ++i)
    run(mutate(seeds[static_cast<std::size_t>(random() % seeds.size())], seeds, random));
  std::printf("%ld inputs\n", rounds);
  return 0;
}
