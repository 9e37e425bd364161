import Packets

extension RuleParser {
  /// What a word for an address means; nil beside it: it is none.
  enum AddressWord {
    case any
    case match(AddressMatch)
  }

  /// `ip` and `all` are any; `ip4` and `ip6` the versions; else a name or a number from 1 on.
  mutating func protocolWord(_ word: String) -> Proto? {
    if word == "ip" || matches(word, "all") { return .any }
    switch Grammar.options.meaning(of: word) {
    case .ip4: return .ip4
    case .ip6: return .ip6
    default: return protocolNumber(word).map { .number($0) }
    }
  }

  func protocolNumber(_ word: String) -> UInt8? {
    if word.utf8.allSatisfy(isDigit), let number = UInt8(word), number > 0 { return number }
    return names.protocolNumber(word)
  }

  // MARK: Addresses

  /// An address in the from/to part: IPv6 in an `ip6` rule or where it looks so. nil: any.
  mutating func address(_ word: String) throws(RuleError) -> AddressMatch? {
    let host = word.prefix { $0 != "/" && $0 != "," }
    if proto == .ip6 || word == "me6" || IPv6Address(host) != nil {
      switch try address6(word) {
      case .any: return nil
      case .match(let match): return match
      case nil: break
      }
    }
    return try address4(word)
  }

  /// `any`, `me`, `address`, `address/length`, `address:mask`.
  mutating func address4(_ word: String) throws(RuleError) -> AddressMatch? {
    if matches(word, "any") { return nil }
    if matches(word, "me") { return .me }
    if word.hasPrefix("table(") || word.contains(",") || word.contains("{") { throw .later(word) }
    let separator = word.firstIndex { $0 == "/" || $0 == ":" }
    let host = word[..<(separator ?? word.endIndex)]
    guard let address = Self.hostAddress(host) else {
      throw RuleError("hostname ``\(host)'' unknown", .unknownHost)
    }
    guard let separator else { return .network4(address, mask: ~0) }
    let text = word[word.index(after: separator)...]
    let mask: UInt32
    if word[separator] == ":" {
      guard let given = Self.hostAddress(text) else { throw RuleError("bad netmask ``\(text)''", .badData) }
      mask = given.rawValue
    } else {
      guard let length = Self.prefixLength(text, atMost: 32) else {
        throw RuleError("bad width ``\(text)''", .badData)
      }
      mask = UInt32(truncatingIfNeeded: ~0 << UInt64(32 - length))
    }
    guard mask != 0 else {
      guard !block.negates else { throw RuleError("not any never matches", .badData) }
      return nil
    }
    return .network4(IPv4Address(rawValue: address.rawValue & mask), mask: mask)
  }

  /// `any`, `me6`, `address`, `address/length`, `address/mask`; nil for what is no IPv6 address.
  mutating func address6(_ word: String) throws(RuleError) -> AddressWord? {
    if word == "any" { return .any }
    if word == "me" || word == "me6" {
      // our `me` takes the packet's own version, so only in rules for IPv6 is `me6` the same
      guard proto == .ip6 else { throw .later("me6") }
      return .match(.me)
    }
    if word.hasPrefix("table(") || word.contains(",") { throw .later(word) }
    let parts = word.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = IPv6Address(parts[0]) else { return nil }
    var mask = IPv6Address(high: ~0, low: ~0)
    if parts.count == 2 {
      if parts[1].contains(":") {
        guard let given = IPv6Address(parts[1]) else {
          throw RuleError("bad mask ``\(parts[1])''", .badData)
        }
        mask = given
      } else {
        guard let length = Self.prefixLength(parts[1], atMost: 128) else {
          throw RuleError("bad width ``\(parts[1])''", .badData)
        }
        mask = IPv6Address(prefixLength: length)
      }
    }
    guard mask != IPv6Address(high: 0, low: 0) else {
      guard !block.negates else { throw RuleError("not any never matches", .badData) }
      return .any
    }
    return .match(
      .network6(IPv6Address(high: address.high & mask.high, low: address.low & mask.low), mask: mask))
  }

  private static func prefixLength(_ text: Substring, atMost limit: Int) -> Int? {
    guard text.utf8.allSatisfy(isDigit), let length = Int(text), length <= limit else { return nil }
    return length
  }

  /// An IPv4 address as inet_aton(3) reads it: one to four numbers, decimal, octal (0…) or hexadecimal (0x…),
  /// the last of which fills the bytes that are left.
  static func hostAddress(_ text: Substring) -> IPv4Address? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 4 else { return nil }
    var value: UInt64 = 0
    for (index, part) in parts.enumerated() {
      let lower = part.lowercased()
      let (digits, radix) =
        if lower.hasPrefix("0x") { (lower.dropFirst(2), 16) } else if lower.count > 1, lower.hasPrefix("0") {
          (lower.dropFirst(1), 8)
        } else { (lower[...], 10) }
      guard digits.utf8.first != UInt8(ascii: "+"), let number = UInt64(digits, radix: radix) else {
        return nil
      }
      let bytes = index == parts.count - 1 ? 4 - index : 1
      guard number < 1 << UInt64(8 * bytes) else { return nil }
      value = value << UInt64(8 * bytes) | number
    }
    return IPv4Address(rawValue: UInt32(truncatingIfNeeded: value))
  }

  // MARK: Ports

  /// `80,443,1000-2000`, numbers or service names; nil for what is no such list.
  mutating func portRanges(_ word: String) throws(RuleError) -> [ClosedRange<UInt16>]? {
    var ranges: [ClosedRange<UInt16>] = []
    var rest = word[...]
    repeat {
      let item = rest
      guard let low = port(&rest) else { return nil }
      if rest.first == "-" {
        rest.removeFirst()
        guard let high = port(&rest), rest.isEmpty || rest.first == ",", low <= high else { return nil }
        ranges.append(low...high)
      } else {
        ranges.append(low...low)
      }
      guard let separator = rest.popFirst() else { break }
      guard separator == "," else {
        warn("port list: invalid separator <\(separator)> in <\(item)>")
        return nil
      }
    } while true
    // an instruction of ipfw has room for 62 (F_LEN_MASK)
    guard ranges.count <= 62 else { throw RuleError("too many ports/ranges", .badData) }
    return ranges
  }

  /// Takes a port off the front. In a name, `\` makes the next character a part of it (`ftp\-data`).
  private func port(_ rest: inout Substring) -> UInt16? {
    if let first = rest.utf8.first, isDigit(first) {
      let digits = rest.prefix { $0.utf8.allSatisfy(isDigit) }
      rest = rest[digits.endIndex...]
      return UInt16(digits)
    }
    var name = ""
    var end = rest.startIndex
    while end < rest.endIndex {
      if rest[end] == "\\", rest.index(after: end) < rest.endIndex {
        end = rest.index(after: end)
      } else if !(rest[end].isASCII && (rest[end].isLetter || rest[end].isNumber))
        && rest[end] != "_" && rest[end] != "."
      {
        break
      }
      name.append(rest[end])
      end = rest.index(after: end)
    }
    let protocolName: String? =
      if case .number(let number) = proto { names.protocolName(number) } else { nil }
    guard !name.isEmpty, let port = names.port(ofService: name, protocolName) else { return nil }
    rest = rest[end...]
    return port
  }

  // MARK: Interfaces and ICMP types

  /// A name, of which the kernel keeps 15 bytes, a pattern, or an address, which starts with a digit. nil: any.
  func interface(_ word: String) throws(RuleError) -> InterfaceMatch? {
    if word == "any" { return nil }
    if word.hasPrefix("table(") { throw .later(word) }
    if word.utf8.first.map(isDigit) == true {
      guard let address = Self.hostAddress(word[...]) else {
        throw RuleError("bad ip address ``\(word)''", .badData)
      }
      return .address(address)
    }
    // a listing has to read back; ipfw takes anything here
    guard !word.isEmpty, !word.contains(where: \.isWhitespace) else {
      throw RuleError("invalid interface name ``\(word)''", .badData)
    }
    let name = String(decoding: word.utf8.prefix(15), as: UTF8.self)
    return Glob.isPattern(name) ? .pattern(name) : .name(name)
  }

  /// Names with commas between, each perhaps with `!` before it.
  func flags(_ word: String, _ names: Keywords<UInt8>) throws(RuleError) -> FlagMatch {
    var match = FlagMatch()
    for item in word.split(separator: ",", omittingEmptySubsequences: false) {
      let isCleared = item.hasPrefix("!")
      let name = isCleared ? item.dropFirst() : item
      guard let bit = names.meaning(of: name) else {
        throw RuleError(name.isEmpty ? "invalid flag" : "invalid flag \(name)", .badData)
      }
      if isCleared { match.clear |= bit } else { match.set |= bit }
    }
    return match
  }

  func icmpTypes(_ word: String) throws(RuleError) -> UInt32 {
    var types: UInt32 = 0
    for item in word.split(separator: ",", omittingEmptySubsequences: false) {
      guard item.utf8.allSatisfy(isDigit), let type = UInt32(item) else {
        throw RuleError("invalid ICMP type", .badData)
      }
      guard type < 32 else { throw RuleError("ICMP type out of range", .badData) }
      types |= 1 << type
    }
    return types
  }
}

extension IPv6Address {
  /// A mask of so many ones.
  package init(prefixLength: Int) {
    // a shift by 64 or more gives 0
    self.init(high: ~0 << UInt64(max(64 - prefixLength, 0)), low: ~0 << UInt64(min(128 - prefixLength, 64)))
  }

  /// How many ones the mask begins with; nil where it has others behind.
  package var prefixLength: Int? {
    let length = high == .max ? 64 + (~low).leadingZeroBitCount : (~high).leadingZeroBitCount
    return self == IPv6Address(prefixLength: length) ? length : nil
  }
}
