import Packets

/// A rule set as the evaluator walks it: flat, and resolved against the host's interfaces and addresses.
///
/// A rule is a run of questions; the last one of each or-block is marked. Whatever does not fit into a few
/// bytes (ports, IPv6 networks, interface indexes) lies in an array beside, and the question names its place
/// there. So evaluating follows no references and allocates nothing. With many rules, a ``RuleIndex`` tells which of
/// them a packet may match at all.
package struct ResolvedRules: Sendable {
  struct ResolvedRule: BitwiseCopyable, Sendable {
    let number: UInt16
    let slot: Int32
    let isEnabled: Bool
    let action: Action
    let questions: Place
    let sparesNeighbourDiscovery: Bool
    /// Where `skipto` leads.
    let target: UInt32
    /// The rule is tried where 32 random bits are less.
    let threshold: UInt32?
  }

  struct Step: BitwiseCopyable, Sendable {
    let question: Question
    let negated: Bool
    /// Where the or-block goes on, if this answer was yes: the question behind its last one.
    let blockEnd: UInt32
  }

  enum Question: BitwiseCopyable, Sendable {
    case version(UInt8)
    case protocolNumber(UInt8)
    case sourceIsLocal, destinationIsLocal
    case source4(UInt32, mask: UInt32)
    case destination4(UInt32, mask: UInt32)
    case source4Among(Place), destination4Among(Place)
    case source4InSet(Place), destination4InSet(Place)
    case sourceIsLocal6, destinationIsLocal6
    case source6(Place), destination6(Place)
    case sourcePort(Place), destinationPort(Place)
    case direction(Direction)
    case received(Place), transmitted(Place), via(Place)
    case icmpTypes(UInt32)
    case tcpFlags(FlagMatch)
    case established
    case fragment(FlagMatch)
    case diverted, divertedLoopback, divertedOutput
  }

  /// A part of one of the arrays beside.
  struct Place: BitwiseCopyable, Sendable {
    let start: UInt32
    let end: UInt32
  }

  struct Addresses4: BitwiseCopyable, Sendable {
    let low: UInt32
    let high: UInt32
  }

  struct Ports: BitwiseCopyable, Sendable {
    let low: UInt16
    let high: UInt16
  }

  private(set) var rules: [ResolvedRule] = []
  private(set) var steps: [Step] = []
  private(set) var ports: [Ports] = []
  private(set) var networks4: [Network4] = []
  private(set) var sets4: [Addresses4] = []
  private(set) var networks6: [Network6] = []
  private(set) var interfaces: [UInt32] = []
  /// Sorted.
  let local4: [UInt32]
  let local6: [IPv6Address]
  private(set) var index = RuleIndex()

  /// - Parameter indexedFrom: How many rules have an index; fewer are walked, which is as fast.
  package init(ruleSet: RuleSet, host: HostView, indexedFrom: Int = 6) {
    local4 = Set(host.interfaces.flatMap(\.addresses4).map(\.rawValue)).sorted()
    local6 = Set(host.interfaces.flatMap(\.addresses6)).sorted { ($0.high, $0.low) < ($1.high, $1.low) }
    for entry in ruleSet.entries { append(entry, ruleSet, host) }
    if rules.count >= indexedFrom { index = RuleIndex(self) }
  }

  private mutating func append(_ entry: RuleSet.Entry, _ ruleSet: RuleSet, _ host: HostView) {
    let start = UInt32(steps.count)
    for clause in entry.rule.clauses {
      let end = UInt32(steps.count + clause.terms.count)
      for term in clause.terms {
        steps.append(Step(question: resolve(term.test, host), negated: term.negated, blockEnd: end))
      }
    }
    var target = 0
    if case .skipto = entry.rule.action { target = ruleSet.index(after: entry.rule.skipTarget - 1) }
    rules.append(
      ResolvedRule(
        number: entry.rule.number, slot: Int32(entry.slot), isEnabled: ruleSet.isEnabled(entry.rule),
        action: entry.rule.action, questions: Place(start: start, end: UInt32(steps.count)),
        sparesNeighbourDiscovery: entry.rule.sparesNeighbourDiscovery, target: UInt32(target),
        threshold: entry.rule.threshold))
  }

  private mutating func resolve(_ test: Test, _ host: HostView) -> Question {
    switch test {
    case .version(let version): return .version(version)
    case .protocolNumber(let number): return .protocolNumber(number)
    case .source(.me): return .sourceIsLocal
    case .destination(.me): return .destinationIsLocal
    case .source(.network4(let address, let mask)): return .source4(address.rawValue, mask: mask)
    case .destination(.network4(let address, let mask)): return .destination4(address.rawValue, mask: mask)
    case .source(.networks4(let networks)): return .source4Among(place(networks))
    case .destination(.networks4(let networks)): return .destination4Among(place(networks))
    case .source(.set4(let set)): return .source4InSet(place(set))
    case .destination(.set4(let set)): return .destination4InSet(place(set))
    case .source(.me6): return .sourceIsLocal6
    case .destination(.me6): return .destinationIsLocal6
    case .source(.network6(let address, let mask)):
      return .source6(place([Network6(address, mask: mask)]))
    case .destination(.network6(let address, let mask)):
      return .destination6(place([Network6(address, mask: mask)]))
    case .source(.networks6(let networks)): return .source6(place(networks))
    case .destination(.networks6(let networks)): return .destination6(place(networks))
    case .sourcePort(let ranges): return .sourcePort(place(ranges))
    case .destinationPort(let ranges): return .destinationPort(place(ranges))
    case .direction(let direction): return .direction(direction)
    case .received(let match): return .received(place(match, host))
    case .transmitted(let match): return .transmitted(place(match, host))
    case .via(let match): return .via(place(match, host))
    case .icmpTypes(let types): return .icmpTypes(types)
    case .tcpFlags(let match): return .tcpFlags(match)
    case .established: return .established
    case .fragment(let match): return .fragment(match)
    case .diverted(nil): return .diverted
    case .diverted(.incoming): return .divertedLoopback
    case .diverted(.outgoing): return .divertedOutput
    }
  }

  private mutating func place(_ networks: [Network4]) -> Place {
    networks4 += networks
    return Place(start: UInt32(networks4.count - networks.count), end: UInt32(networks4.count))
  }

  private mutating func place(_ networks: [Network6]) -> Place {
    networks6 += networks
    return Place(start: UInt32(networks6.count - networks.count), end: UInt32(networks6.count))
  }

  private mutating func place(_ set: AddressSet) -> Place {
    let start = UInt32(sets4.count)
    sets4 += set.addresses.map { Addresses4(low: $0.lowerBound, high: $0.upperBound) }
    return Place(start: start, end: UInt32(sets4.count))
  }

  private mutating func place(_ ranges: [ClosedRange<UInt16>]) -> Place {
    let start = UInt32(ports.count)
    ports += ranges.map { Ports(low: $0.lowerBound, high: $0.upperBound) }
    return Place(start: start, end: UInt32(ports.count))
  }

  /// Index 0 names no interface, so it is in no set.
  private mutating func place(_ match: InterfaceMatch, _ host: HostView) -> Place {
    let start = UInt32(interfaces.count)
    for interface in host.interfaces where interface.index != 0 && match.matches(interface) {
      interfaces.append(interface.index)
    }
    return Place(start: start, end: UInt32(interfaces.count))
  }
}

extension Rule {
  /// The least number at which a `skipto` goes on, 1...65535.
  package var skipTarget: UInt16 {
    guard case .skipto(let wanted) = action else { return number }
    return max(wanted, number == .max ? .max : number + 1)
  }
}

extension Rule {
  /// ``probability`` as a share of 2³². nil: always.
  package var threshold: UInt32? {
    probability.map { UInt32((UInt64($0) << 32) / 1_000_000) }
  }
}

extension InterfaceMatch {
  package func matches(_ interface: HostView.Interface) -> Bool {
    switch self {
    case .name(let name): interface.name == name
    case .pattern(let pattern): Glob(pattern).matches(interface.name)
    case .address(let address): interface.addresses4.contains(address)
    }
  }
}

extension ResolvedRules {
  /// Whether there is an index: there are enough rules, and most of them can be filed.
  package var isIndexed: Bool { !index.isEmpty }

  /// In bytes, without what is shared.
  package var size: Int {
    rules.count * MemoryLayout<ResolvedRule>.stride + steps.count * MemoryLayout<Step>.stride
      + ports.count * 4 + networks4.count * 8 + sets4.count * 8 + networks6.count * 32 + interfaces.count * 4
      + index.size
  }
}
