// libFuzzer entry for the TLV reader and all that is built on it. Build with the fuzz preset (Clang); run with a corpus
// folder, for example `fuzz_tlv -max_total_time=60 corpus/`.
#include <cstddef>
#include <cstdint>

#include "fuzz/tlv_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern const char* const fuzz_seeds[];

const char* const fuzz_seeds[] = {
    "\x6F\x20\x84\x0E\x31\x50\x41\x59\x2E\x53\x59\x53\x2E\x44\x44\x46\x30\x31\xA5\x0E\x88\x01\x01",
    "\x9F\x26\x08\x11\x22\x33\x44\x55\x66\x77\x88\x9F\x27\x01\x80\x9F\x36\x02\x01\x02",
    "\x9F\x02\x06\x9F\x03\x06\x9F\x1A\x02\x95\x05", nullptr};

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  nightdrop::fuzz::exercise_tlv({data, size});
  return 0;
}
