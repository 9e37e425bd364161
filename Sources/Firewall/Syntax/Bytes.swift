/// Words as bytes: the language is ASCII, and a file has many of them.

func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

func isAlphanumeric(_ byte: UInt8) -> Bool { isDigit(byte) || (0x61...0x7a).contains(byte | 0x20) }

/// As isspace(3).
func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

func startsWithDigit(_ word: String) -> Bool { word.utf8.first.map(isDigit) == true }

/// A number of decimal digits only; nil for anything else, and for more than 19 of them.
func decimal(_ bytes: Span<UInt8>) -> UInt64? {
  guard 1...19 ~= bytes.count else { return nil }
  var value: UInt64 = 0
  for index in bytes.indices {
    guard isDigit(bytes[index]) else { return nil }
    value = value * 10 + UInt64(bytes[index] & 0x0f)
  }
  return value
}

func decimal(_ word: String) -> UInt64? { decimal(word.utf8.span) }

/// Takes a number off the front as strtol(3) does with base 0: `0x…` is hexadecimal, `0…` octal, and what is no digit of
/// these ends the number. What does not fit is 2⁵⁸.
///
/// - Precondition: There is a digit.
func number(_ bytes: Span<UInt8>, _ position: inout Int) -> UInt64 {
  var radix: UInt64 = 10
  if bytes[position] == UInt8(ascii: "0") {
    let isHexadecimal =
      position + 2 < bytes.count && bytes[position + 1] | 0x20 == UInt8(ascii: "x")
      && digit(bytes[position + 2]) < 16
    radix = isHexadecimal ? 16 : 8
    if isHexadecimal { position += 2 }
  }
  var value: UInt64 = 0
  while position < bytes.count, digit(bytes[position]) < radix {
    value = min(value &* radix &+ digit(bytes[position]), 1 << 58)
    position += 1
  }
  return value
}

private func digit(_ byte: UInt8) -> UInt64 {
  switch byte {
  case 0x30...0x39: UInt64(byte - 0x30)
  case 0x41...0x46: UInt64(byte - 0x37)
  case 0x61...0x66: UInt64(byte - 0x57)
  default: .max
  }
}

extension String {
  /// A part, by the positions of its bytes.
  func text(_ bytes: Range<Int>) -> Substring {
    let start = utf8.index(utf8.startIndex, offsetBy: bytes.lowerBound)
    return self[start..<utf8.index(start, offsetBy: bytes.count)]
  }
}
