#include "acquirer/iso8583/format.hpp"

#include <algorithm>

namespace nightdrop::iso8583 {
namespace {

using enum Kind;
using enum Length;

struct Line {
  unsigned first;  // elements first to last are alike
  unsigned last;
  FieldFormat format;
};

// clang-format off
constexpr Line lines[] = {
    {2, 2, {NRight, 19, Ll}},  // primary account number
    {3, 3, {N, 6, Fixed}},  // processing code
    {4, 4, {N, 12, Fixed}},  // amount, transaction
    {5, 5, {N, 12, Fixed}},  // amount, settlement
    {6, 6, {N, 12, Fixed}},  // amount, cardholder billing
    {7, 7, {N, 10, Fixed}},  // transmission date and time, MMDDhhmmss
    {8, 8, {N, 8, Fixed}},  // amount, cardholder billing fee
    {9, 9, {N, 8, Fixed}},  // conversion rate, settlement
    {10, 10, {N, 8, Fixed}},  // conversion rate, cardholder billing
    {11, 11, {N, 6, Fixed}},  // system trace audit number
    {12, 12, {N, 6, Fixed}},  // time, local transaction, hhmmss
    {13, 13, {N, 4, Fixed}},  // date, local transaction, MMDD
    {14, 14, {N, 4, Fixed}},  // date, expiration, YYMM
    {15, 15, {N, 4, Fixed}},  // date, settlement, MMDD
    {16, 16, {N, 4, Fixed}},  // date, conversion, MMDD
    {17, 17, {N, 4, Fixed}},  // date, capture, MMDD
    {18, 18, {N, 4, Fixed}},  // merchant's type
    {19, 19, {N, 3, Fixed}},  // country, acquiring institution
    {20, 20, {N, 3, Fixed}},  // country, PAN extended
    {21, 21, {N, 3, Fixed}},  // country, forwarding institution
    {22, 22, {N, 3, Fixed}},  // POS entry mode
    {23, 23, {N, 3, Fixed}},  // card sequence number
    {24, 24, {N, 3, Fixed}},  // network international identifier
    {25, 25, {N, 2, Fixed}},  // POS condition code
    {26, 26, {N, 2, Fixed}},  // POS PIN capture code
    {27, 27, {N, 1, Fixed}},  // authorization id response length
    {28, 28, {SignedN, 9, Fixed}},  // amount, transaction fee
    {29, 29, {SignedN, 9, Fixed}},  // amount, settlement fee
    {30, 30, {SignedN, 9, Fixed}},  // amount, transaction processing fee
    {31, 31, {SignedN, 9, Fixed}},  // amount, settlement processing fee
    {32, 32, {NRight, 11, Ll}},  // acquiring institution
    {33, 33, {NRight, 11, Ll}},  // forwarding institution
    {34, 34, {Ans, 28, Ll}},  // PAN, extended
    {35, 35, {Z, 37, Ll}},  // track 2
    {36, 36, {Z3, 104, Lll}},  // track 3
    {37, 37, {An, 12, Fixed}},  // retrieval reference number
    {38, 38, {An, 6, Fixed}},  // authorization id response
    {39, 39, {An, 2, Fixed}},  // response code
    {40, 40, {An, 3, Fixed}},  // service restriction code
    {41, 41, {Ans, 8, Fixed}},  // terminal id
    {42, 42, {Ans, 15, Fixed}},  // card acceptor id
    {43, 43, {Ans, 40, Fixed}},  // card acceptor name and place
    {44, 44, {Ans, 25, Ll}},  // additional response data
    {45, 45, {Ans, 76, Ll}},  // track 1
    {46, 46, {Ans, 999, Lll}},  // additional data, ISO
    {47, 47, {Ans, 999, Lll}},  // additional data, national
    {48, 48, {Ans, 999, Lll}},  // additional data, private
    {49, 49, {An, 3, Fixed}},  // currency, transaction
    {50, 50, {An, 3, Fixed}},  // currency, settlement
    {51, 51, {An, 3, Fixed}},  // currency, cardholder billing
    {52, 52, {B, 8, Fixed}},  // PIN data
    {53, 53, {N, 16, Fixed}},  // security related control information
    {54, 54, {Ans, 120, Lll}},  // additional amounts
    {55, 55, {Ans, 999, Lll}},  // EMV data, by agreement
    {56, 63, {Ans, 999, Lll}},  // reserved for ISO, national and private use
    {64, 64, {B, 8, Fixed}},  // message authentication code
    {66, 66, {N, 1, Fixed}},  // settlement code
    {67, 67, {N, 2, Fixed}},  // extended payment code
    {68, 68, {N, 3, Fixed}},  // country, receiving institution
    {69, 69, {N, 3, Fixed}},  // country, settlement institution
    {70, 70, {N, 3, Fixed}},  // network management information code
    {71, 71, {N, 4, Fixed}},  // message number
    {72, 72, {N, 4, Fixed}},  // message number, last
    {73, 73, {N, 6, Fixed}},  // date, action, YYMMDD
    {74, 74, {N, 10, Fixed}},  // credits, number
    {75, 75, {N, 10, Fixed}},  // credits reversal, number
    {76, 76, {N, 10, Fixed}},  // debits, number
    {77, 77, {N, 10, Fixed}},  // debits reversal, number
    {78, 78, {N, 10, Fixed}},  // transfers, number
    {79, 79, {N, 10, Fixed}},  // transfers reversal, number
    {80, 80, {N, 10, Fixed}},  // inquiries, number
    {81, 81, {N, 10, Fixed}},  // authorizations, number
    {82, 82, {N, 12, Fixed}},  // credits, processing fee
    {83, 83, {N, 12, Fixed}},  // credits, transaction fee
    {84, 84, {N, 12, Fixed}},  // debits, processing fee
    {85, 85, {N, 12, Fixed}},  // debits, transaction fee
    {86, 86, {N, 16, Fixed}},  // credits, amount
    {87, 87, {N, 16, Fixed}},  // credits reversal, amount
    {88, 88, {N, 16, Fixed}},  // debits, amount
    {89, 89, {N, 16, Fixed}},  // debits reversal, amount
    {90, 90, {N, 42, Fixed}},  // original data elements
    {91, 91, {An, 1, Fixed}},  // file update code
    {92, 92, {An, 2, Fixed}},  // file security code
    {93, 93, {An, 5, Fixed}},  // response indicator
    {94, 94, {An, 7, Fixed}},  // service indicator
    {95, 95, {An, 42, Fixed}},  // replacement amounts
    {96, 96, {B, 8, Fixed}},  // message security code
    {97, 97, {SignedN, 17, Fixed}},  // amount, net settlement
    {98, 98, {Ans, 25, Fixed}},  // payee
    {99, 99, {NRight, 11, Ll}},  // settlement institution
    {100, 100, {NRight, 11, Ll}},  // receiving institution
    {101, 101, {Ans, 17, Ll}},  // file name
    {102, 102, {Ans, 28, Ll}},  // account 1
    {103, 103, {Ans, 28, Ll}},  // account 2
    {104, 104, {Ans, 100, Lll}},  // transaction description
    {105, 127, {Ans, 999, Lll}},  // reserved for ISO, national and private use
    {128, 128, {B, 8, Fixed}},  // message authentication code
};
// clang-format on

constexpr FieldTable table_1987 = [] {
  FieldTable table{};
  for (const auto& line : lines) {
    for (unsigned element = line.first; element <= line.last; ++element) table[element] = line.format;
  }
  return table;
}();
static_assert(std::ranges::count(table_1987, None, &FieldFormat::kind) == 3);  // 0, 1 and 65

}  // namespace

Format format_1987(Profile profile) {
  return {.profile = profile, .fields = table_1987};
}

}  // namespace nightdrop::iso8583
