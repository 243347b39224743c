// What keys cost: the key of a payment, and the provisioning of a reader.
#pragma once

#include <filesystem>

namespace nightdrop::bench {

// DUKPT derive, seal and advance for each payment against a bare seal and against the cipher blocks that it needs.
void bench_dukpt(int payments);
// A reader from factory state to the station's record, over a Unix socket, against its parts measured by themselves.
void bench_provisioning(int readers, const std::filesystem::path& dir);

}  // namespace nightdrop::bench
