// libFuzzer entry for the TLV reader and all that is built on it. Build with the fuzz preset (Clang); run with a corpus
// folder, for example `fuzz_tlv -max_total_time=60 corpus/`.
#include <cstddef>
#include <cstdint>

#include "fuzz/tlv_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  nightdrop::fuzz::exercise_tlv({data, size});
  return 0;
}
