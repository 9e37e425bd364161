import Packets

extension RuleParser {
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
    if let first = rest.utf8.first, isDigit(first) { return portNumber(&rest) }
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

  /// As strtol(3) with base 0 reads it: `0x…` is hexadecimal, `0…` octal, and what is no digit of these ends the number.
  private func portNumber(_ rest: inout Substring) -> UInt16? {
    var (digits, radix) = (rest[...], 10)
    if rest.hasPrefix("0") {
      let afterZero = rest.dropFirst()
      let isHexadecimal =
        (afterZero.first == "x" || afterZero.first == "X")
        && afterZero.dropFirst().first.map { $0.isASCII && $0.isHexDigit } == true
      (digits, radix) = isHexadecimal ? (afterZero.dropFirst(), 16) : (rest, 8)
    }
    digits = digits.prefix { $0.isASCII && $0.hexDigitValue.map { $0 < radix } == true }
    rest = rest[digits.endIndex...]
    return UInt16(digits, radix: radix)
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
    var name = word
    while name.utf8.count > 15 { name.unicodeScalars.removeLast() }
    // a listing has to read back, where a comma at a word's end joins it to the next; ipfw takes anything here
    guard !name.isEmpty, !name.hasSuffix(","), !name.contains(where: \.isWhitespace) else {
      throw RuleError("invalid interface name ``\(word)''", .badData)
    }
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
