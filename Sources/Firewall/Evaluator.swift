package import Packets

/// What the rules say about a packet in a pass.
package struct Verdict: Equatable, Sendable {
  package enum Decision: Equatable, Sendable {
    case allow, deny
    case divert(port: UInt16)
    /// A copy goes to the port; the packet itself goes on at ``Verdict/next``.
    case tee(port: UInt16)
  }

  package let decision: Decision
  /// The rule that decided: the tag of a diverted packet.
  package let ruleNumber: UInt16
  /// The index of the very next entry, rules of the same number included.
  package let next: Int

  package init(decision: Decision, ruleNumber: UInt16, next: Int) {
    self.decision = decision
    self.ruleNumber = ruleNumber
    self.next = next
  }
}

extension ResolvedRules {
  /// Tries the rules from an index on, until one decides.
  ///
  /// An unreadable packet is denied and nowhere counted (ip_fw2.c: "pullup failed").
  ///
  /// - Parameter index: Where to begin: 0, ``RuleSet/index(after:)`` a tag, or ``Verdict/next`` after a tee.
  /// - Complexity: O(number of rules that ``RuleIndex`` cannot tell apart), no allocation.
  package func evaluate(
    _ packet: PacketFields, _ pass: Pass, from index: Int, counters: inout RuleCounters
  ) -> Verdict {
    var random = SystemRandomNumberGenerator()
    return evaluate(packet, pass, from: index, counters: &counters, random: &random)
  }

  /// The same with a given source for `prob`: the upper 32 bits of a number for each such rule that is met.
  package func evaluate(
    _ packet: PacketFields, _ pass: Pass, from index: Int, counters: inout RuleCounters,
    random: inout some RandomNumberGenerator
  ) -> Verdict {
    let rules = self.rules.span
    guard packet.isReadable else {
      return Verdict(decision: .deny, ruleNumber: RuleSet.defaultNumber, next: rules.count)
    }
    let members = self.index.members.span
    var candidates = RuleIndex.Candidates()
    self.index.find(&candidates, for: packet, pass)
    var index = index
    while true {
      index = candidates.next(from: index, in: members)
      guard index < rules.count else { break }
      let rule = rules[index]
      index += 1
      guard rule.isEnabled else { continue }
      if let threshold = rule.threshold, random.next() >> 32 >= UInt64(threshold) { continue }
      guard matches(rule.questions, packet, pass) else { continue }
      if rule.sparesNeighbourDiscovery, packet.isNeighbourDiscovery { continue }
      counters.count(slot: Int(rule.slot), bytes: packet.length)
      let decision: Verdict.Decision
      switch rule.action {
      case .count: continue
      case .skipto:
        index = Int(rule.target)
        continue
      case .allow: decision = .allow
      case .deny: decision = .deny
      case .divert(let port): decision = .divert(port: port)
      case .tee(let port): decision = .tee(port: port)
      }
      return Verdict(decision: decision, ruleNumber: rule.number, next: index)
    }
    // Not reached with a default rule that decides; without one, BSD denies what no rule matches.
    return Verdict(decision: .deny, ruleNumber: RuleSet.defaultNumber, next: rules.count)
  }

  private func matches(_ questions: Place, _ packet: PacketFields, _ pass: Pass) -> Bool {
    let steps = self.steps.span
    var index = Int(questions.start)
    let end = Int(questions.end)
    while index < end {
      let step = steps[index]
      if answer(step.question, packet, pass) != step.negated {
        index = Int(step.blockEnd)
      } else {
        index += 1
        if index == Int(step.blockEnd) { return false }
      }
    }
    return true
  }

  @inline(__always)
  private func answer(_ question: Question, _ packet: PacketFields, _ pass: Pass) -> Bool {
    switch question {
    case .version(let version):
      return packet.version == version
    case .protocolNumber(let number):
      return packet.protocolNumber == number
    case .source4(let address, let mask):
      return packet.version == 4 && packet.source4.rawValue & mask == address
    case .destination4(let address, let mask):
      return packet.version == 4 && packet.destination4.rawValue & mask == address
    case .source4Among(let place):
      return packet.version == 4 && has(packet.source4, among: place)
    case .destination4Among(let place):
      return packet.version == 4 && has(packet.destination4, among: place)
    case .source4InSet(let place):
      return packet.version == 4 && has(packet.source4, inSet: place)
    case .destination4InSet(let place):
      return packet.version == 4 && has(packet.destination4, inSet: place)
    case .source6(let place):
      return packet.version == 6 && has(packet.source6, among: place)
    case .destination6(let place):
      return packet.version == 6 && has(packet.destination6, among: place)
    case .sourceIsLocal6:
      return packet.version == 6 && isLocal(packet.source6)
    case .destinationIsLocal6:
      return packet.version == 6 && isLocal(packet.destination6)
    case .sourceIsLocal:
      return packet.version == 4 ? isLocal(packet.source4) : isLocal(packet.source6)
    case .destinationIsLocal:
      return packet.version == 4 ? isLocal(packet.destination4) : isLocal(packet.destination6)
    case .sourcePort(let place):
      return packet.hasPorts && has(packet.sourcePort, place)
    case .destinationPort(let place):
      return packet.hasPorts && has(packet.destinationPort, place)
    case .direction(let direction):
      return pass.direction == direction
    case .received(let place):
      return has(interface: pass.receiveInterface, place)
    case .transmitted(let place):
      return pass.direction == .outgoing && has(interface: pass.transmitInterface, place)
    case .via(let place):
      return has(
        interface: pass.direction == .incoming ? pass.receiveInterface : pass.transmitInterface, place)
    case .icmpTypes(let types):
      return packet.version == 4 && packet.hasICMPType && packet.icmpType < 32
        && types & (1 << UInt32(packet.icmpType)) != 0
    case .tcpFlags(let match):
      return packet.protocolNumber == 6 && packet.hasPorts && match.holds(for: packet.tcpFlags)
    case .established:
      return packet.protocolNumber == 6 && packet.hasPorts && packet.tcpFlags & 0x16 != 0x02
    case .diverted: return pass.isReinjected
    case .divertedLoopback: return pass.isReinjected && pass.direction == .incoming
    case .divertedOutput: return pass.isReinjected && pass.direction == .outgoing
    case .fragment(let match):
      guard packet.version == 4 else { return match == .laterFragment && packet.fragmentOffset != 0 }
      return match.holds(for: packet.fragmentBits)
    }
  }

  private func has(_ address: IPv4Address, among place: Place) -> Bool {
    let networks = networks4.span
    for index in Int(place.start)..<Int(place.end)
    where address.rawValue & networks[index].mask == networks[index].address.rawValue {
      return true
    }
    return false
  }

  private func has(_ address: IPv4Address, inSet place: Place) -> Bool {
    let addresses = sets4.span
    for index in Int(place.start)..<Int(place.end)
    where addresses[index].low <= address.rawValue && address.rawValue <= addresses[index].high {
      return true
    }
    return false
  }

  private func has(_ address: IPv6Address, among place: Place) -> Bool {
    let networks = networks6.span
    for index in Int(place.start)..<Int(place.end) where networks[index].contains(address) { return true }
    return false
  }

  private func has(_ port: UInt16, _ place: Place) -> Bool {
    let ports = self.ports.span
    for index in Int(place.start)..<Int(place.end)
    where ports[index].low <= port && port <= ports[index].high {
      return true
    }
    return false
  }

  private func has(interface: UInt32, _ place: Place) -> Bool {
    let interfaces = self.interfaces.span
    for index in Int(place.start)..<Int(place.end) where interfaces[index] == interface { return true }
    return false
  }

  private func isLocal(_ address: IPv4Address) -> Bool {
    let addresses = local4.span
    var (low, high) = (0, addresses.count)
    while low < high {
      let middle = (low + high) / 2
      if addresses[middle] < address.rawValue { low = middle + 1 } else { high = middle }
    }
    return low < addresses.count && addresses[low] == address.rawValue
  }

  private func isLocal(_ address: IPv6Address) -> Bool {
    let addresses = local6.span
    var (low, high) = (0, addresses.count)
    while low < high {
      let middle = (low + high) / 2
      let found = addresses[middle]
      if (found.high, found.low) < (address.high, address.low) { low = middle + 1 } else { high = middle }
    }
    return low < addresses.count && addresses[low] == address
  }
}

extension Network6 {
  func contains(_ other: IPv6Address) -> Bool {
    other.high & mask.high == address.high && other.low & mask.low == address.low
  }
}
