extension IPv4Address: CustomStringConvertible, LosslessStringConvertible {
  public var description: String {
    "\(rawValue >> 24).\(rawValue >> 16 & 0xff).\(rawValue >> 8 & 0xff).\(rawValue & 0xff)"
  }

  /// Reads four decimal numbers with dots between and no leading zeros, which others take for octal ones.
  public init?(_ text: String) { self.init(text[...]) }

  public init?(_ text: Substring) {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var value: UInt32 = 0
    for part in parts {
      guard (1...3).contains(part.count), part.allSatisfy({ (0x30...0x39).contains($0) }),
        part.count == 1 || part.first != 0x30, let byte = UInt8(Substring(part))
      else { return nil }
      value = value << 8 | UInt32(byte)
    }
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

  public init?(_ text: Substring) {
    let halves = text.split(separator: "::", maxSplits: 1, omittingEmptySubsequences: false)
    guard let last = halves.last, let tail = Self.groups(of: last, canEndInIPv4: true) else { return nil }
    guard halves.count == 2 else {
      guard tail.count == 8 else { return nil }
      self.init(groups: tail)
      return
    }
    guard let head = Self.groups(of: halves[0], canEndInIPv4: false), head.count + tail.count <= 7 else {
      return nil
    }
    self.init(groups: head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail)
  }

  private static func groups(of text: Substring, canEndInIPv4: Bool) -> [UInt16]? {
    guard !text.isEmpty else { return [] }
    var groups: [UInt16] = []
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    for (index, part) in parts.enumerated() {
      if canEndInIPv4, index == parts.count - 1, let address = IPv4Address(part) {
        groups += [
          UInt16(truncatingIfNeeded: address.rawValue >> 16), UInt16(truncatingIfNeeded: address.rawValue),
        ]
        continue
      }
      // UInt16(_:radix:) would take a sign, too
      guard (1...4).contains(part.utf8.count), part.allSatisfy({ $0.isASCII && $0.isHexDigit }),
        let group = UInt16(part, radix: 16)
      else { return nil }
      groups.append(group)
    }
    return groups.count <= 8 ? groups : nil
  }
}
