import Packets

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

  /// `any`, `me`, or networks with commas between, or a set of hosts. A list with `/0` in it is any.
  mutating func address4(_ word: String) throws(RuleError) -> AddressMatch? {
    if matches(word, "any") { return nil }
    if matches(word, "me") { return .me }
    if word.hasPrefix("table(") { throw .later(word) }
    if let brace = word.firstIndex(of: "{") {
      return .set4(try addressSet(word[..<brace], word[word.index(after: brace)...]))
    }
    var networks: [Network4] = []
    for item in word.split(separator: ",", omittingEmptySubsequences: false) {
      networks.append(try network4(item, defaultLength: 32, mayBeIPv6: proto == .ip6 && networks.isEmpty))
    }
    return try match(networks, limit: 31, isAny: { $0.mask == 0 }) { network in
      .network4(network.address, mask: network.mask)
    } list: {
      .networks4($0)
    }
  }

  /// `any`, `me6`, or networks with commas between; nil for what is no IPv6 address.
  mutating func address6(_ word: String) throws(RuleError) -> AddressWord? {
    if word == "any" { return .any }
    if word == "me" || word == "me6" { return .match(.me6) }
    if word.hasPrefix("table(") { throw .later(word) }
    var networks: [Network6] = []
    for item in word.split(separator: ",", omittingEmptySubsequences: false) {
      guard let network = try network6(item) else {
        let error = unknown(item.prefix { $0 != "/" }, [6])
        guard !networks.isEmpty else { return nil }
        throw error
      }
      networks.append(network)
    }
    let any = IPv6Address(high: 0, low: 0)
    let match = try match(networks, limit: 7, isAny: { $0.mask == any }) { network in
      .network6(network.address, mask: network.mask)
    } list: {
      .networks6($0)
    }
    return match.map { .match($0) } ?? .any
  }

  /// - Parameter limit: What an instruction of ipfw has room for (63 words).
  private func match<Network>(
    _ networks: [Network], limit: Int, isAny: (Network) -> Bool, one: (Network) -> AddressMatch,
    list: ([Network]) -> AddressMatch
  ) throws(RuleError) -> AddressMatch? {
    guard !networks.contains(where: isAny) else {
      guard !block.negates else { throw RuleError("not any never matches", .badData) }
      return nil
    }
    guard networks.count <= limit else { throw RuleError("address list too long", .badData) }
    return networks.count == 1 ? one(networks[0]) : list(networks)
  }

  /// `address`, `address/length`, `address:mask`.
  ///
  /// - Parameter mayBeIPv6: With an IPv6 address instead of a name, the word would be one.
  private mutating func network4(
    _ word: Substring, defaultLength: Int, mayBeIPv6: Bool = false
  ) throws(RuleError) -> Network4 {
    let host = Self.host(word)
    let separator = host.endIndex == word.endIndex ? nil : host.endIndex
    guard let address = Self.hostAddress(host) else {
      throw unknown(host, mayBeIPv6 && (separator == nil || word[host.endIndex] == "/") ? [6, 4] : [4])
    }
    var mask = UInt32(truncatingIfNeeded: ~0 << UInt64(32 - defaultLength))
    if let separator {
      let text = word[word.index(after: separator)...]
      if word[separator] == ":" {
        // whoever writes `10.0.0.1:80` means a port; ipfw takes it for 0.0.0.80
        guard !text.utf8.allSatisfy(isDigit), let given = Self.hostAddress(text) else {
          throw RuleError("bad netmask ``\(text)''", .badData)
        }
        mask = given.rawValue
      } else {
        guard let length = Self.prefixLength(text, atMost: 32) else {
          throw RuleError("bad width ``\(text)''", .badData)
        }
        mask = UInt32(truncatingIfNeeded: ~0 << UInt64(32 - length))
      }
    }
    return Network4(IPv4Address(rawValue: address.rawValue & mask), mask: mask)
  }

  /// `address`, `address/length`, `address/mask`; nil for what is no IPv6 address.
  private func network6(_ word: Substring) throws(RuleError) -> Network6? {
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
    return Network6(IPv6Address(high: address.high & mask.high, low: address.low & mask.low), mask: mask)
  }

  /// `address[/24…31]{host,low-high}`: of 256 addresses where no length is given.
  private mutating func addressSet(_ network: Substring, _ hosts: Substring) throws(RuleError) -> AddressSet {
    let inList = RuleError("address set cannot be in a list", .badData)
    guard !network.contains(",") else { throw inList }
    let network = try network4(network, defaultLength: 24)
    let length = (~network.mask).leadingZeroBitCount
    let isContiguous = network.mask == UInt32(truncatingIfNeeded: ~0 << UInt64(32 - length))
    guard isContiguous, (24...31).contains(length) else {
      throw RuleError("invalid set with mask \(isContiguous ? length : -1)", .badData)
    }
    let low = UInt8(truncatingIfNeeded: network.address.rawValue)
    let high = low + UInt8(truncatingIfNeeded: ~network.mask)
    guard let end = hosts.firstIndex(of: "}") else { throw RuleError("set not closed", .badData) }
    guard hosts[end...] == "}" else { throw inList }

    var found: Set<UInt8> = []
    for item in hosts[..<end].split(separator: ",", omittingEmptySubsequences: false) {
      let ends = item.split(separator: "-", omittingEmptySubsequences: false)
      guard ends.count <= 2 else { throw RuleError("double '-' in range", .badData) }
      guard ends.count == 1 || !ends[1].isEmpty else {
        throw RuleError("incomplete range \(item)", .badData)
      }
      var numbers: [UInt8] = []
      for text in ends {
        // a leading 0 is octal to ipfw
        guard !text.isEmpty, text.utf8.allSatisfy(isDigit), text == "0" || text.first != "0" else {
          throw RuleError("set not closed", .badData)
        }
        guard let number = UInt8(text), (low...high).contains(number) else {
          throw RuleError("addr \(text) out of range [\(low)-\(high)]", .badData)
        }
        numbers.append(number)
      }
      let (first, last) = (numbers[0], numbers[numbers.count - 1])
      guard first <= last else { throw RuleError("invalid range \(first)-\(last)", .badData) }
      found.formUnion(first...last)
    }
    return AddressSet(base: network.address, prefixLength: length, hosts: found)
  }

  /// What stands before a mask.
  static func host(_ word: Substring) -> Substring { word.prefix { $0 != "/" && $0 != ":" && $0 != "{" } }

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
