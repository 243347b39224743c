// Certificates, requests and revocation lists as anybody may send them: nothing that is not by the right key is taken.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "nightdrop/encoding.hpp"
#include "nightdrop/result.hpp"
#include "x509/certificate.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern const char* const fuzz_seeds[];

const char* const fuzz_seeds[] = {
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBfDCCASGgAwIBAgIBATAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAdGdXp6IENB\n"
    "MCAXDTI2MTEyMDE0MDAwMFoYDzIxMjYxMDI4MTQwMDAwWjASMRAwDgYDVQQDDAdG\n"
    "dXp6IENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1EuJQy91ATJEsQVkOhKa\n"
    "pBvgIJT/M14OL24juejxTVcOvYH3gvZDn6LMllWoRsY/PWS/DFv7sv/RJInXlGbf\n"
    "vaNmMGQwEgYDVR0TAQH/BAgwBgEB/wIBATAOBgNVHQ8BAf8EBAMCAQYwHQYDVR0O\n"
    "BBYEFFPz/myVMZQAT2gPix7+TDlVeBazMB8GA1UdIwQYMBaAFFPz/myVMZQAT2gP\n"
    "ix7+TDlVeBazMAoGCCqGSM49BAMCA0kAMEYCIQDtwyvfrvdcbXXqihqkRdcgG1+x\n"
    "YBHNpAwUK+PUjCdTBAIhAK0wFYbbHW9Era3VM9jar6H6era9Vfjy55MzYakume91\n"
    "-----END CERTIFICATE-----\n",
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBijCCATGgAwIBAgIBAjAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAdGdXp6IENB\n"
    "MCAXDTI2MTEyMDE0MDAwMFoYDzIxMjYxMDI4MTQwMDAwWjATMREwDwYDVQQDDAhO\n"
    "RDAwMDAwMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHxXCy2KsDSqxJ0943Uq\n"
    "WvTmr+A6qgFV6GEXMqHqdwFDWfRq+ODpopApsoXYUd30CRY6sU6L63+mdCWleHt9\n"
    "VNyjdTBzMAwGA1UdEwEB/wQCMAAwDgYDVR0PAQH/BAQDAgeAMB0GA1UdDgQWBBTr\n"
    "UenDF8qKKrf5FgoWfUwf1VFXaDAfBgNVHSMEGDAWgBRT8/5slTGUAE9oD4se/kw5\n"
    "VXgWszATBgNVHSUEDDAKBggrBgEFBQcDAjAKBggqhkjOPQQDAgNHADBEAiB0EkDP\n"
    "s+Hp6Vd62zhlCjTp7K94P5WqQzXc0tDEkSTtxAIgCSAIH0uwg6gwyVSIbNRzXd0h\n"
    "tgbKpc8/XUGSuqws0Ec=\n"
    "-----END CERTIFICATE-----\n"
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBfDCCASGgAwIBAgIBATAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAdGdXp6IENB\n"
    "MCAXDTI2MTEyMDE0MDAwMFoYDzIxMjYxMDI4MTQwMDAwWjASMRAwDgYDVQQDDAdG\n"
    "dXp6IENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1EuJQy91ATJEsQVkOhKa\n"
    "pBvgIJT/M14OL24juejxTVcOvYH3gvZDn6LMllWoRsY/PWS/DFv7sv/RJInXlGbf\n"
    "vaNmMGQwEgYDVR0TAQH/BAgwBgEB/wIBATAOBgNVHQ8BAf8EBAMCAQYwHQYDVR0O\n"
    "BBYEFFPz/myVMZQAT2gPix7+TDlVeBazMB8GA1UdIwQYMBaAFFPz/myVMZQAT2gP\n"
    "ix7+TDlVeBazMAoGCCqGSM49BAMCA0kAMEYCIQDtwyvfrvdcbXXqihqkRdcgG1+x\n"
    "YBHNpAwUK+PUjCdTBAIhAK0wFYbbHW9Era3VM9jar6H6era9Vfjy55MzYakume91\n"
    "-----END CERTIFICATE-----\n",
    "-----BEGIN X509 CRL-----\n"
    "MIHhMIGIAgEBMAoGCCqGSM49BAMCMBIxEDAOBgNVBAMMB0Z1enogQ0EXDTI2MTEy\n"
    "MTE0MDAwMFoXDTI2MTEyMjE0MDAwMFowFDASAgECFw0yNjExMjExNDAwMDBaoC8w\n"
    "LTAfBgNVHSMEGDAWgBRT8/5slTGUAE9oD4se/kw5VXgWszAKBgNVHRQEAwIBBzAK\n"
    "BggqhkjOPQQDAgNIADBFAiBxUZW7TkuCnQd/RbL0gNhEgY8lW1R/Tp9D8egE7kQW\n"
    "mAIhAO2X0fk57P5MhMDHC5A9Fdc/6oliZ+EEyk/h4ta36QHk\n"
    "-----END X509 CRL-----\n",
    "3082018a30820131a003020102020102300a06082a8648ce3d04030230123110300e06035504030c0746757a7a204341"
    "3020170d3236313132303134303030305a180f32313236313032383134303030305a30133111300f06035504030c084e"
    "443030303030313059301306072a8648ce3d020106082a8648ce3d030107034200047c570b2d8ab034aac49d3de3752a"
    "5af4e6afe03aaa0155e8611732a1ea77014359f46af8e0e9a29029b285d851ddf409163ab14e8beb7fa67425a5787b7d"
    "54dca3753073300c0603551d130101ff04023000300e0603551d0f0101ff040403020780301d0603551d0e04160414eb"
    "51e9c317ca8a2ab7f9160a167d4c1fd5515768301f0603551d2304183016801453f3fe6c953194004f680f8b1efe4c39"
    "557816b330130603551d25040c300a06082b06010505070302300a06082a8648ce3d04030203470030440220741240cf"
    "b3e1e9e9577adb38650a34e9ecaf783f95aa4335dcd2d0c49124edc402200920081f4bb083a830c954886cd4735ddd21"
    "b606caa5cf3f5d4192baac2cd047",
    "3081cc307502010030133111300f06035504030c084e443030303030313059301306072a8648ce3d020106082a8648ce"
    "3d030107034200047c570b2d8ab034aac49d3de3752a5af4e6afe03aaa0155e8611732a1ea77014359f46af8e0e9a290"
    "29b285d851ddf409163ab14e8beb7fa67425a5787b7d54dca000300a06082a8648ce3d040302034700304402201833ef"
    "2858a7d29d772cdf0de8a7eb498396dccf10f8c2d375edd5ffa76c21ae0220274ec5bdaf8576392e5efcc08c2a1c8bda"
    "76a4fd5c05c8e596c51cff6a7c41ee",
    nullptr};

namespace {

using namespace nightdrop;

constexpr UtcMs now = 1'795'269'600'000;  // 2026-11-21T14:00:00Z

// The seeds' authority.
const x509::Certificate& authority() {
  static const x509::Certificate certificate = x509::parse_certificate_pem(fuzz_seeds[0]).value();
  return certificate;
}

void check_chain(const std::vector<x509::Certificate>& chain) {
  if (!x509::verify_chain(chain, authority(), now, x509::Purpose::Client)) return;
  ND_ASSERT(chain.front().common_name == "ND000001");  // the only client that the authority certified
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto chain = x509::parse_chain_pem(text)) check_chain(*chain);
  if (const auto list = x509::read_revocation_list(text, authority())) ND_ASSERT(list->number == 7);
  // The same as DER, in hex so that the seeds are text.
  const auto der = from_hex(text);
  if (!der) return 0;
  if (const auto certificate = x509::parse_certificate(*der)) check_chain({*certificate});
  if (const auto request = x509::parse_request(*der)) ND_ASSERT(request->common_name == "ND000001");
  return 0;
}
