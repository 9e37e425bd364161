import Packets

/// Interfaces: by name, by pattern, by an address.
extension RuleParser {
  /// A name, of which the kernel keeps 15 bytes, a pattern, or an address, which starts with a digit. nil: any.
  mutating func interfaceOperand() throws(RuleError) -> InterfaceMatch? {
    let word = try need("recv, xmit, via require interface name or address")
    if word == "any" { return nil }
    if word.hasPrefix("table(") { throw .later(word) }
    if startsWithDigit(word) {
      guard let address = Self.hostAddress(word.utf8.span) else {
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
}

extension Test {
  /// The interfaces that the test asks for, where it asks for any.
  package var interfaces: InterfaceMatch? {
    switch self {
    case .received(let match), .transmitted(let match), .via(let match): match
    case .version, .protocolNumber, .source, .destination, .sourcePort, .destinationPort, .direction,
      .icmpTypes, .tcpFlags, .established, .fragment, .diverted:
      nil
    }
  }
}

extension InterfaceMatch {
  var text: String {
    switch self {
    case .name(let name), .pattern(let name): name
    case .address(let address): "\(address)"
    }
  }
}
