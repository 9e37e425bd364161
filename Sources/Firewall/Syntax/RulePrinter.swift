import Packets

/// Writes rules the way ipfw lists them, from the tables that the parser reads.
package struct RulePrinter: Sendable {
  package var names: Names
  /// -N: ports by the names of their services.
  package var showsServices = false
  /// -c: without `ip from any to any`.
  package var isCompact = false
  /// -S: the number of the set before the rest.
  package var showsSets = false
  /// -b: action and comment only.
  package var isBrief = false

  package init(names: Names = .system) { self.names = names }

  /// A line of `ipfw list`: number and text.
  package func line(_ rule: Rule) -> String { "\(padded(rule.number, 5, "0")) \(text(rule))" }

  /// The rule without its number.
  package func text(_ rule: Rule) -> String {
    var words = showsSets ? [Grammar.prefixes.word(for: .set), "\(rule.set)"] : []
    if let probability = rule.probability {
      words += [Grammar.prefixes.word(for: .probability), "0.\(padded(probability, 6, "0"))"]
    }
    words.append(action(rule.action))
    if let amount = rule.logAmount {
      words.append(Grammar.modifiers.word(for: .log))
      if amount > 0 { words += [Grammar.logOptions.word(for: .logAmount), "\(amount)"] }
    }
    if isBrief {
      words.append("// \(rule.comment ?? "...")")
      return words.joined(separator: " ")
    }
    if rule.hasFromTo {
      let parts = Arrangement(rule.clauses)
      if !(isCompact && parts.isAnyToAny) {
        words += fromTo(parts)
      } else if parts.options.isEmpty {
        // ipfw leaves `from any to any` away, but no body empty
        words.append("ip")
      }
      words += parts.options.map { option($0, parts) }
    } else {
      words += rule.clauses.map { option($0, nil) }
    }
    if let comment = rule.comment { words.append("// \(comment)") }
    return words.joined(separator: " ")
  }

  private func action(_ action: Action) -> String {
    switch action {
    case .allow: Grammar.actions.word(for: .allow)
    case .deny: Grammar.actions.word(for: .deny)
    case .count: Grammar.actions.word(for: .count)
    case .divert(let port): "\(Grammar.actions.word(for: .divert)) \(port)"
    case .tee(let port): "\(Grammar.actions.word(for: .tee)) \(port)"
    case .skipto(let number): "\(Grammar.actions.word(for: .skipto)) \(number)"
    }
  }

  // MARK: PROTO from … to …

  private func fromTo(_ parts: Arrangement) -> [String] {
    var words = [parts.proto.map { inPlace($0, parts) } ?? "ip", "from"]
    words.append(parts.source.map { inPlace($0, parts) } ?? "any")
    if let ports = parts.sourcePort { words.append(inPlace(ports, parts)) }
    words += ["to", parts.destination.map { inPlace($0, parts) } ?? "any"]
    if let ports = parts.destinationPort { words.append(inPlace(ports, parts)) }
    return words
  }

  private func inPlace(_ clause: Clause, _ parts: Arrangement) -> String {
    block(clause) { value($0, parts) }
  }

  private func option(_ clause: Clause, _ parts: Arrangement?) -> String {
    block(clause) { test in
      guard let keyword = Self.keyword(test) else { return value(test, parts) }
      let word = Grammar.options.word(for: keyword)
      switch test {
      case .direction, .version, .tcpFlags(.setup), .established, .diverted: return word
      case .source(.me), .destination(.me): return "\(word) me"
      default: return "\(word) \(value(test, parts))"
      }
    }
  }

  /// A block of one loses its braces.
  private func block(_ clause: Clause, _ text: (Test) -> String) -> String {
    let terms = clause.terms.map { ($0.negated ? "not " : "") + text($0.test) }
    return terms.count == 1 ? terms[0] : "{ \(terms.joined(separator: " or ")) }"
  }

  // MARK: Tests

  private static func keyword(_ test: Test) -> OptionWord? {
    switch test {
    case .version(4): .ip4
    case .version: .ip6
    case .protocolNumber: .proto
    case .source(.network6), .source(.networks6), .source(.me6): .source6
    case .source: .source
    case .destination(.network6), .destination(.networks6), .destination(.me6): .destination6
    case .destination: .destination
    case .sourcePort: .sourcePort
    case .destinationPort: .destinationPort
    case .direction(.incoming): .incoming
    case .direction(.outgoing): .outgoing
    case .received: .received
    case .transmitted: .transmitted
    case .via: .via
    case .icmpTypes: .icmpTypes
    case .tcpFlags(.setup): .setup
    case .tcpFlags: .tcpFlags
    case .established: .established
    case .fragment: .fragment
    case .diverted(nil): .diverted
    case .diverted(.incoming): .divertedLoopback
    case .diverted(.outgoing): .divertedOutput
    }
  }

  /// What stands behind the keyword, or alone in the from/to part.
  private func value(_ test: Test, _ parts: Arrangement?) -> String {
    switch test {
    case .version(let version): return "ip\(version)"
    case .protocolNumber(let number): return names.protocolName(number) ?? "\(number)"
    case .source(let match), .destination(let match): return address(match, parts)
    case .sourcePort(let ranges), .destinationPort(let ranges):
      return ranges.map { range in
        let (low, high) = (port(range.lowerBound, parts), port(range.upperBound, parts))
        return low == high ? low : "\(low)-\(high)"
      }.joined(separator: ",")
    case .direction, .established, .diverted: return ""
    case .received(let match), .transmitted(let match), .via(let match):
      switch match {
      case .name(let name), .pattern(let name): return name
      case .address(let address): return "\(address)"
      }
    case .icmpTypes(let types):
      return (0..<32).filter { types & (1 << $0) != 0 }.map { "\($0)" }.joined(separator: ",")
    case .tcpFlags(let match): return Self.flags(match, Grammar.tcpFlags)
    case .fragment(let match): return Self.flags(match, Grammar.fragmentFlags)
    }
  }

  /// For each flag whether it must be set, then whether clear: a rule may ask for both.
  private static func flags(_ match: FlagMatch, _ names: Keywords<UInt8>) -> String {
    names.entries.flatMap { word, bit in
      (match.set & bit != 0 ? [word] : []) + (match.clear & bit != 0 ? ["!\(word)"] : [])
    }.joined(separator: ",")
  }

  private func address(_ match: AddressMatch, _ parts: Arrangement?) -> String {
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
    case .set4(let set):
      return "\(set.base)/\(set.prefixLength){\(set.ranges.map(Self.hosts).joined(separator: ","))}"
    }
  }

  private static func network(_ address: IPv4Address, _ mask: UInt32) -> String {
    let length = (~mask).leadingZeroBitCount
    guard mask == UInt32(truncatingIfNeeded: ~0 << UInt64(32 - length)) else {
      return "\(address):\(IPv4Address(rawValue: mask))"
    }
    return length == 32 ? "\(address)" : length == 0 ? "any" : "\(address)/\(length)"
  }

  private static func network(_ address: IPv6Address, _ mask: IPv6Address) -> String {
    guard let length = mask.prefixLength else { return "\(address)/\(mask)" }
    return length == 128 ? "\(address)" : length == 0 ? "any" : "\(address)/\(length)"
  }

  /// From three neighbours on as a range.
  private static func hosts(_ range: ClosedRange<UInt8>) -> String {
    range.count > 2
      ? "\(range.lowerBound)-\(range.upperBound)" : range.map { "\($0)" }.joined(separator: ",")
  }

  private func port(_ port: UInt16, _ parts: Arrangement?) -> String {
    guard showsServices else { return "\(port)" }
    var protocolName: String?
    if case .protocolNumber(let number) = parts?.proto?.terms.first?.test {
      protocolName = names.protocolName(number)
    }
    return names.service(onPort: port, protocolName) ?? "\(port)"
  }
}

/// A number filled up at its left.
func padded(_ number: some BinaryInteger, _ width: Int, _ filler: Character = " ") -> String {
  let digits = String(number)
  return String(repeating: filler, count: max(width - digits.utf8.count, 0)) + digits
}
