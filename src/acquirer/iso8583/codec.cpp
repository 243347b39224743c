#include "acquirer/iso8583/codec.hpp"

#include <algorithm>

#include "acquirer/iso8583/field.hpp"

namespace nightdrop::iso8583 {
namespace {

constexpr std::size_t map_size = 8;  // bytes of one bit map
constexpr unsigned bits_a_map = 64;
constexpr unsigned third_map_bit = 65;

std::unexpected<Error> malformed(const char* text, unsigned element = 0) {
  return failure(Errc::Malformed, text, static_cast<int>(element));
}

std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Takes the message from front to back; never past its end.
class Reader {
 public:
  Reader(Bytes wire, Profile profile) : rest_(wire), profile_(profile) {}

  bool empty() const { return rest_.empty(); }

  Result<Bytes> take(std::size_t size, unsigned element) {
    if (size > rest_.size()) return malformed("message is cut short", element);
    const Bytes taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }

  Result<Mti> mti() {
    std::array<std::uint8_t, 4> digits{};
    const auto wire = take(profile_ == Profile::Bcd ? 2 : 4, 0);
    if (!wire) return std::unexpected(wire.error());
    if (profile_ == Profile::Bcd) {
      unpack(*wire, Padding::Left, digits);
    } else {
      std::ranges::copy(*wire, digits.begin());
    }
    return Mti::parse(text_of(digits));
  }

  // One bit map of eight bytes.
  Result<void> map(std::span<std::uint8_t> bytes) {
    const bool hex = profile_ == Profile::Ascii;
    const auto wire = take(hex ? 2 * map_size : map_size, 0);
    if (!wire) return std::unexpected(wire.error());
    if (!hex) {
      std::ranges::copy(*wire, bytes.begin());
    } else if (!read_hex(*wire, bytes)) {
      return malformed("bit map is not hexadecimal");
    }
    return {};
  }

  // The length in front of a variable value.
  Result<std::size_t> length(Length kind, unsigned element) {
    const std::size_t count = kind == Length::Ll ? 2 : 3;
    const std::size_t bytes = profile_ == Profile::Bcd ? (count + 1) / 2 : count;
    const auto wire = take(bytes, element);
    if (!wire) return std::unexpected(wire.error());
    std::array<std::uint8_t, 3> room{};
    const auto digits = std::span(room).first(count);
    if (profile_ != Profile::Bcd) {
      std::ranges::copy(*wire, digits.begin());
    } else if (!unpack(*wire, Padding::Left, digits)) {
      return malformed("length is longer than its maximum", element);
    }
    if (!all_digits(text_of(digits))) return malformed("length is not decimal", element);
    std::size_t value = 0;
    for (const auto digit : digits) value = 10 * value + digit - '0';
    return value;
  }

 private:
  Bytes rest_;
  Profile profile_;
};

Result<void> read_element(Reader& reader, unsigned element, const Format& format, Message& message) {
  const FieldFormat& field = format.fields[element];
  if (field.kind == Kind::None) return malformed("not a data element of 1987", element);
  std::size_t units = field.max;
  if (field.length != Length::Fixed) {
    const auto length = reader.length(field.length, element);
    if (!length) return std::unexpected(length.error());
    units = *length;
  }
  if (units > field.max) return malformed("length is over the maximum", element);
  if (field.kind == Kind::BHex && units % 2 != 0) return malformed("half a byte of hexadecimal", element);
  const auto wire = reader.take(wire_size(field, format.profile, units), element);
  if (!wire) return std::unexpected(wire.error());
  const auto value = message.make(element, value_size(field, units));
  if (const char* text = decode(field, format.profile, *wire, value)) return malformed(text, element);
  if (const char* text = complaint(field, text_of(value))) return malformed(text, element);
  return {};
}

// Fills what was made large enough, from front to back.
class Writer {
 public:
  Writer(std::size_t room, Profile profile) : wire_(room), profile_(profile) {}

  void mti(Mti mti) {
    if (profile_ == Profile::Bcd) {
      pack(mti.text(), Padding::Left, next(2));
    } else {
      std::ranges::copy(mti.text(), next(4).begin());
    }
  }

  void map(Bytes bytes) {
    if (profile_ == Profile::Ascii) {
      write_hex(bytes, next(2 * bytes.size()));
    } else {
      std::ranges::copy(bytes, next(bytes.size()).begin());
    }
  }

  void element(const FieldFormat& field, std::string_view value) {
    const std::size_t units = units_of(field, value);
    if (field.length != Length::Fixed) length(field.length, units);
    encode(field, profile_, value, next(wire_size(field, profile_, units)));
  }

  SecretBytes take() {
    wire_.truncate(used_);
    return std::move(wire_);
  }

 private:
  std::span<std::uint8_t> next(std::size_t size) {
    const auto room = wire_.writable().subspan(used_, size);
    used_ += size;
    return room;
  }

  void length(Length kind, std::size_t units) {
    const std::size_t count = kind == Length::Ll ? 2 : 3;
    std::array<char, 3> room{};
    const std::span<char> digits = std::span(room).first(count);
    for (std::size_t i = count; i-- > 0; units /= 10) digits[i] = static_cast<char>('0' + units % 10);
    if (profile_ == Profile::Bcd) {
      pack({digits.data(), digits.size()}, Padding::Left, next((count + 1) / 2));
    } else {
      std::ranges::copy(digits, next(count).begin());
    }
  }

  SecretBytes wire_;
  std::size_t used_{0};
  Profile profile_;
};

bool bit(Bytes bitmap, unsigned element) {
  return (unsigned{bitmap[(element - 1) / 8]} >> (7 - (element - 1) % 8) & 1U) != 0;
}

// The bit maps, one or two, of the elements a message has.
std::span<const std::uint8_t> write_bitmap(const Message& message, std::span<std::uint8_t, 2 * map_size> bytes) {
  bool second = message.has(1);
  for (unsigned element = 2; element <= last_element; ++element) {
    if (!message.has(element)) continue;
    second = second || element > bits_a_map;
    auto& byte = bytes[(element - 1) / 8];
    byte = static_cast<std::uint8_t>(byte | 0x80U >> (element - 1) % 8);
  }
  if (second) bytes[0] |= 0x80U;
  return bytes.first(second ? 2 * map_size : map_size);
}

}  // namespace

Result<std::vector<unsigned>> read_bitmap(Bytes bitmap) {
  if (bitmap.size() < map_size || bitmap.size() != (bit(bitmap, 1) ? 2 * map_size : map_size)) {
    return malformed("bit map of a wrong size");
  }
  std::vector<unsigned> bits;
  for (unsigned element = 1; element <= 8 * bitmap.size(); ++element) {
    if (bit(bitmap, element)) bits.push_back(element);
  }
  if (std::ranges::binary_search(bits, third_map_bit)) return malformed("third bit map", third_map_bit);
  return bits;
}

Result<Message> parse(Bytes wire, const Format& format) {
  Reader reader(wire, format.profile);
  const auto mti = reader.mti();
  if (!mti) return std::unexpected(mti.error());
  std::array<std::uint8_t, 2 * map_size> maps{};
  const std::span<std::uint8_t> both(maps);
  ND_TRY(reader.map(both.first(map_size)));
  const bool second = bit(maps, 1);
  if (second) ND_TRY(reader.map(both.subspan(map_size)));
  const auto bits = read_bitmap(both.first(second ? 2 * map_size : map_size));
  if (!bits) return std::unexpected(bits.error());

  Message message(*mti);
  if (second && bits->back() <= bits_a_map) message.set(1, {});
  for (const unsigned element : *bits) {
    if (element > 1) ND_TRY(read_element(reader, element, format, message));
  }
  if (!reader.empty()) return malformed("bytes are left over");
  return message;
}

Result<SecretBytes> build(const Message& message, const Format& format) {
  std::size_t room = 4 + 4 * map_size;
  for (unsigned element = 2; element <= last_element; ++element) {
    if (!message.has(element)) continue;
    if (const char* text = complaint(format.fields[element], message.value(element))) {
      return failure(Errc::InvalidArgument, text, static_cast<int>(element));
    }
    room += 3 + 2 * message.value(element).size();
  }
  Writer writer(room, format.profile);
  writer.mti(message.mti());
  std::array<std::uint8_t, 2 * map_size> maps{};
  writer.map(write_bitmap(message, maps));
  for (unsigned element = 2; element <= last_element; ++element) {
    if (message.has(element)) writer.element(format.fields[element], message.value(element));
  }
  return writer.take();
}

}  // namespace nightdrop::iso8583
