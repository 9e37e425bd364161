import Packets

/// Addresses and networks: `any`, `me`, `10.0.0.0/8,192.0.2.1`, `10.0.0.0:255.0.255.0`, `2001:db8::/32`.
extension RuleParser {
  /// What a word for an address means; nil beside it: it is none.
  enum AddressWord {
    case any
    case match(AddressMatch)
  }

  /// An address in the from/to part: IPv6 in an `ip6` rule or where it looks so. nil: any.
  mutating func address(_ word: String) throws(RuleError) -> AddressMatch? {
    // ours takes the packet's own version, as ipfw's does; in an `ip6` rule it is listed as `me6`
    if word == "me" { return .me }
    if proto == .ip6 || word == "me6" || beginsWithIPv6(word) {
      switch try address6(word) {
      case .any: return nil
      case .match(let match): return match
      case nil: break
      }
    }
    return try address4(word)
  }

  private func beginsWithIPv6(_ word: String) -> Bool {
    let bytes = word.utf8.span
    guard bytes.indices.contains(where: { bytes[$0] == UInt8(ascii: ":") }) else { return false }
    let end = bytes.indices.first { bytes[$0] == UInt8(ascii: "/") || bytes[$0] == UInt8(ascii: ",") }
    return IPv6Address(bytes.extracting(first: end ?? bytes.count)) != nil
  }

  /// `any`, `me`, or networks with commas between, or a set of hosts. A list with `/0` in it is any.
  mutating func address4(_ word: String) throws(RuleError) -> AddressMatch? {
    if matches(word, "any") { return nil }
    if matches(word, "me") { return .me }
    if word.hasPrefix("table(") { throw .later(word) }
    let bytes = word.utf8.span
    if let brace = bytes.indices.first(where: { bytes[$0] == UInt8(ascii: "{") }) {
      return .set4(try addressSet(word, brace))
    }
    var networks: [Network4] = []
    var (isAny, start) = (false, 0)
    while let item = nextItem(bytes, from: &start) {
      let network = try network4(
        word, item, defaultLength: 32, mayBeIPv6: proto == .ip6 && item.lowerBound == 0)
      isAny = isAny || network.mask == 0
      if item == 0..<bytes.count, !isAny { return .network4(network.address, mask: network.mask) }
      networks.append(network)
    }
    // what an instruction of ipfw has room for (63 words)
    return try checked(isAny, networks.count, limit: 31) ? .networks4(networks) : nil
  }

  /// `any`, `me6`, or networks with commas between; nil for what is no IPv6 address.
  mutating func address6(_ word: String) throws(RuleError) -> AddressWord? {
    if word == "any" { return .any }
    if word == "me" || word == "me6" { return .match(.me6) }
    if word.hasPrefix("table(") { throw .later(word) }
    let bytes = word.utf8.span
    var networks: [Network6] = []
    var (isAny, start) = (false, 0)
    while let item = nextItem(bytes, from: &start) {
      guard let network = try network6(word, item) else {
        let error = unknown(word.text(item).prefix { $0 != "/" }, [6])
        guard !networks.isEmpty else { return nil }
        throw error
      }
      isAny = isAny || network.mask == IPv6Address(high: 0, low: 0)
      networks.append(network)
    }
    guard try checked(isAny, networks.count, limit: 7) else { return .any }
    return .match(
      networks.count == 1
        ? .network6(networks[0].address, mask: networks[0].mask) : .networks6(networks))
  }

  mutating func address6Operand(_ missing: String) throws(RuleError) -> AddressMatch? {
    let word = try need(missing)
    switch try address6(word) {
    case .any: return nil
    case .match(let match): return match
    case nil: throw RuleError("unrecognised option [-1] \(word)", .usage)
    }
  }

  /// False: any.
  private func checked(_ isAny: Bool, _ count: Int, limit: Int) throws(RuleError) -> Bool {
    guard !isAny else {
      guard !block.negates else { throw RuleError("not any never matches", .badData) }
      return false
    }
    guard count <= limit else { throw RuleError("address list too long", .badData) }
    return true
  }

  /// `address`, `address/length`, `address:mask`.
  ///
  /// - Parameter mayBeIPv6: With an IPv6 address instead of a name, the word would be one.
  mutating func network4(
    _ word: String, _ item: Range<Int>, defaultLength: Int, mayBeIPv6: Bool = false
  ) throws(RuleError) -> Network4 {
    let bytes = word.utf8.span
    let end = item.first { Self.endsHost(bytes[$0]) } ?? item.upperBound
    guard let address = Self.hostAddress(bytes.extracting(item.lowerBound..<end)) else {
      let isHostOrNetwork = end == item.upperBound || bytes[end] == UInt8(ascii: "/")
      throw unknown(word.text(item.lowerBound..<end), mayBeIPv6 && isHostOrNetwork ? [6, 4] : [4])
    }
    var mask = UInt32.prefixMask(defaultLength)
    if end < item.upperBound {
      let text = end + 1..<item.upperBound
      if bytes[end] == UInt8(ascii: ":") {
        // `10.0.0.1:80` is meant as a port; ipfw reads 0.0.0.80
        let isNumber = text.allSatisfy { isDigit(bytes[$0]) }
        guard !isNumber, let given = Self.hostAddress(bytes.extracting(text)) else {
          throw RuleError("bad netmask ``\(word.text(text))''", .badData)
        }
        mask = given.rawValue
      } else {
        guard let length = Self.prefixLength(bytes.extracting(text), atMost: 32) else {
          throw RuleError("bad width ``\(word.text(text))''", .badData)
        }
        mask = .prefixMask(length)
      }
    }
    return Network4(IPv4Address(rawValue: address.rawValue & mask), mask: mask)
  }

  /// `address`, `address/length`, `address/mask`; nil for what is no IPv6 address.
  private func network6(_ word: String, _ item: Range<Int>) throws(RuleError) -> Network6? {
    let bytes = word.utf8.span
    let end = item.first { bytes[$0] == UInt8(ascii: "/") } ?? item.upperBound
    guard let address = IPv6Address(bytes.extracting(item.lowerBound..<end)) else { return nil }
    var mask = IPv6Address(high: ~0, low: ~0)
    if end < item.upperBound {
      let text = end + 1..<item.upperBound
      if text.contains(where: { bytes[$0] == UInt8(ascii: ":") }) {
        guard let given = IPv6Address(bytes.extracting(text)) else {
          throw RuleError("bad mask ``\(word.text(text))''", .badData)
        }
        mask = given
      } else {
        guard let length = Self.prefixLength(bytes.extracting(text), atMost: 128) else {
          throw RuleError("bad width ``\(word.text(text))''", .badData)
        }
        mask = IPv6Address(prefixLength: length)
      }
    }
    return Network6(IPv6Address(high: address.high & mask.high, low: address.low & mask.low), mask: mask)
  }

  /// What stands before a mask.
  static func host(_ word: Substring) -> Substring { Substring(word.utf8.prefix { !endsHost($0) }) }

  private static func endsHost(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "/") || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "{")
  }

  /// An IPv4 address as inet_aton(3) reads it: one to four numbers, decimal, octal (0…) or hexadecimal (0x…),
  /// the last of which fills the bytes that are left.
  static func hostAddress(_ bytes: Span<UInt8>) -> IPv4Address? {
    var (value, position): (UInt64, Int) = (0, 0)
    for part in 1...4 {
      guard position < bytes.count, isDigit(bytes[position]) else { return nil }
      let number = number(bytes, &position)
      guard position < bytes.count else {
        let bits = UInt64(40 - 8 * part)
        guard number < 1 << bits else { return nil }
        return IPv4Address(rawValue: UInt32(truncatingIfNeeded: value << bits | number))
      }
      guard bytes[position] == UInt8(ascii: "."), number < 256 else { return nil }
      value = value << 8 | number
      position += 1
    }
    return nil
  }

  private static func prefixLength(_ bytes: Span<UInt8>, atMost limit: UInt64) -> Int? {
    guard let length = decimal(bytes), length <= limit else { return nil }
    return Int(length)
  }
}

extension RulePrinter {
  func address(_ match: AddressMatch, _ parts: Arrangement?) -> String {
    switch match {
    case .me:
      return parts?.proto == Clause(.version(6)) ? "me6" : "me"
    case .me6: return "me6"
    case .network4(let address, let mask): return Self.network(address, mask)
    case .network6(let address, let mask): return Self.network(address, mask)
    case .networks4(let networks):
      return networks.map { Self.network($0.address, $0.mask) }.joined(separator: ",")
    case .networks6(let networks):
      return networks.map { Self.network($0.address, $0.mask) }.joined(separator: ",")
    case .set4(let set): return Self.hosts(of: set)
    }
  }

  private static func network(_ address: IPv4Address, _ mask: UInt32) -> String {
    let length = (~mask).leadingZeroBitCount
    guard mask == .prefixMask(length) else { return "\(address):\(IPv4Address(rawValue: mask))" }
    return length == 32 ? "\(address)" : length == 0 ? "any" : "\(address)/\(length)"
  }

  private static func network(_ address: IPv6Address, _ mask: IPv6Address) -> String {
    guard let length = mask.prefixLength else { return "\(address)/\(mask)" }
    return length == 128 ? "\(address)" : length == 0 ? "any" : "\(address)/\(length)"
  }
}

/// The next part of a list with commas, by the positions of its bytes; empty ones count.
private func nextItem(_ bytes: Span<UInt8>, from start: inout Int) -> Range<Int>? {
  guard start <= bytes.count else { return nil }
  var end = start
  while end < bytes.count, bytes[end] != UInt8(ascii: ",") { end += 1 }
  defer { start = end + 1 }
  return start..<end
}

extension UInt32 {
  /// So many ones, then zeros.
  static func prefixMask(_ length: Int) -> UInt32 { UInt32(truncatingIfNeeded: ~0 << UInt64(32 - length)) }
}

extension IPv6Address {
  /// A mask of so many ones.
  package init(prefixLength: Int) {
    // a shift by 64 or more gives 0
    self.init(high: ~0 << UInt64(max(64 - prefixLength, 0)), low: ~0 << UInt64(min(128 - prefixLength, 64)))
  }

  /// How many ones the mask begins with; nil where it has others after them.
  package var prefixLength: Int? {
    let length = high == .max ? 64 + (~low).leadingZeroBitCount : (~high).leadingZeroBitCount
    return self == IPv6Address(prefixLength: length) ? length : nil
  }
}
