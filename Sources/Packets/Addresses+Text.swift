extension IPv4Address: CustomStringConvertible, LosslessStringConvertible {
  public var description: String {
    "\(rawValue >> 24).\(rawValue >> 16 & 0xff).\(rawValue >> 8 & 0xff).\(rawValue & 0xff)"
  }

  /// Reads four decimal numbers with dots between and no leading zeros, which others take for octal ones.
  public init?(_ text: String) { self.init(text[...]) }

  public init?(_ text: Substring) { self.init(text.utf8.span) }

  package init?(_ bytes: Span<UInt8>) {
    var (value, position): (UInt32, Int) = (0, 0)
    for part in 0..<4 {
      let start = position
      var byte: UInt32 = 0
      while position < bytes.count, (0x30...0x39).contains(bytes[position]), position - start < 3 {
        byte = byte * 10 + UInt32(bytes[position] & 0x0f)
        position += 1
      }
      let digits = position - start
      guard digits > 0, byte < 256, digits == 1 || bytes[start] != 0x30 else { return nil }
      value = value << 8 | byte
      guard part < 3 else { break }
      guard position < bytes.count, bytes[position] == UInt8(ascii: ".") else { return nil }
      position += 1
    }
    guard position == bytes.count else { return nil }
    self.init(rawValue: value)
  }
}

extension IPv6Address: CustomStringConvertible, LosslessStringConvertible {
  /// The eight 16-bit groups, first to last.
  package var groups: [UInt16] {
    [high, low].flatMap { half in
      [48, 32, 16, 0].map { UInt16(truncatingIfNeeded: half >> $0) }
    }
  }

  package init(groups: [UInt16]) {
    let halves = [groups[..<4], groups[4...]].map { $0.reduce(0) { $0 << 16 | UInt64($1) } }
    self.init(high: halves[0], low: halves[1])
  }

  /// The canonical form (RFC 5952): lower case, no leading zeros, `::` for the first of the longest runs of
  /// two or more zero groups. IPv4-mapped (§5) and IPv4-compatible addresses have the IPv4 part in dots, as
  /// inet_ntop(3) writes them; `::1` and others with only the last group are no IPv4-compatible addresses.
  public var description: String {
    if high == 0, low >> 32 == 0xffff || (low >> 32 == 0 && low >> 16 != 0) {
      let prefix = low >> 32 == 0 ? "::" : "::ffff:"
      return prefix + IPv4Address(rawValue: UInt32(truncatingIfNeeded: low)).description
    }
    let groups = self.groups
    var best = 0..<0
    var start = 0
    while start < 8 {
      let end = groups[start...].firstIndex { $0 != 0 } ?? 8
      if end - start > max(best.count, 1) { best = start..<end }
      start = max(end, start + 1)
    }
    let texts = groups.map { String($0, radix: 16) }
    guard !best.isEmpty else { return texts.joined(separator: ":") }
    return texts[..<best.lowerBound].joined(separator: ":") + "::"
      + texts[best.upperBound...].joined(separator: ":")
  }

  /// Reads the forms of RFC 4291 §2.2, without a zone.
  public init?(_ text: String) { self.init(text[...]) }

  public init?(_ text: Substring) { self.init(text.utf8.span) }

  package init?(_ bytes: Span<UInt8>) {
    var groups = InlineArray<8, UInt16>(repeating: 0)
    var (count, position) = (0, 0)
    // How many groups stand before `::`.
    var gap: Int?
    if bytes.count >= 2, bytes[0] == Self.colon, bytes[1] == Self.colon { (gap, position) = (0, 2) }
    while position < bytes.count {
      let start = position
      guard count < 8, let group = Self.group(bytes, &position) else { return nil }
      if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
        guard count < 7, let address = IPv4Address(bytes.extracting(start..<bytes.count)) else { return nil }
        groups[count] = UInt16(truncatingIfNeeded: address.rawValue >> 16)
        groups[count + 1] = UInt16(truncatingIfNeeded: address.rawValue)
        count += 2
        break
      }
      groups[count] = group
      count += 1
      guard position < bytes.count else { break }
      guard bytes[position] == Self.colon, position + 1 < bytes.count else { return nil }
      position += 1
      guard bytes[position] == Self.colon else { continue }
      guard gap == nil else { return nil }
      (gap, position) = (count, position + 1)
    }
    guard gap == nil ? count == 8 : count < 8 else { return nil }
    var (high, low): (UInt64, UInt64) = (0, 0)
    for index in 0..<8 {
      let head = gap ?? 8
      let source = index < head ? index : index - (8 - count)
      let group = source >= head || index < head ? groups[source] : 0
      if index < 4 { high = high << 16 | UInt64(group) } else { low = low << 16 | UInt64(group) }
    }
    self.init(high: high, low: low)
  }

  private static var colon: UInt8 { UInt8(ascii: ":") }

  /// One to four hexadecimal digits.
  private static func group(_ bytes: Span<UInt8>, _ position: inout Int) -> UInt16? {
    let start = position
    var group: UInt16 = 0
    while position < bytes.count, position - start < 5 {
      switch bytes[position] {
      case 0x30...0x39: group = group << 4 | UInt16(bytes[position] & 0x0f)
      case 0x41...0x46, 0x61...0x66: group = group << 4 | UInt16((bytes[position] & 0x0f) + 9)
      default: return position > start ? group : nil
      }
      position += 1
    }
    return 1...4 ~= position - start ? group : nil
  }
}
