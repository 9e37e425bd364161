package import Firewall
package import Packets

/// Rules asked one by one, as ipfw(8) has them: slow, and simple enough to be looked through.
package struct RuleOracle {
  let ruleSet: RuleSet
  let host: HostView

  package init(_ ruleSet: RuleSet, host: HostView) { (self.ruleSet, self.host) = (ruleSet, host) }

  package func evaluate(
    _ packet: PacketFields, _ pass: Pass, from index: Int, counters: inout RuleCounters,
    random: inout some RandomNumberGenerator
  ) -> Verdict {
    let denied = Verdict(decision: .deny, ruleNumber: 65535, next: ruleSet.entries.count)
    guard packet.isReadable else { return denied }
    var index = index
    while index < ruleSet.entries.count {
      let entry = ruleSet.entries[index]
      let rule = entry.rule
      index += 1
      guard ruleSet.isEnabled(rule), rule.clauses.allSatisfy({ holds($0, packet, pass) }) else { continue }
      if let threshold = rule.threshold, random.next() >> 32 >= UInt64(threshold) { continue }
      if rule.sparesNeighbourDiscovery, packet.isNeighbourDiscovery { continue }
      counters.count(slot: entry.slot, bytes: packet.length)
      let decision: Verdict.Decision
      switch rule.action {
      case .count: continue
      case .skipto:
        index = ruleSet.entries.firstIndex { $0.rule.number >= rule.skipTarget } ?? ruleSet.entries.count - 1
        continue
      case .allow: decision = .allow
      case .deny: decision = .deny
      case .divert(let port): decision = .divert(port: port)
      case .tee(let port): decision = .tee(port: port)
      }
      return Verdict(decision: decision, ruleNumber: rule.number, next: index)
    }
    return denied
  }

  private func holds(_ clause: Clause, _ packet: PacketFields, _ pass: Pass) -> Bool {
    clause.terms.contains { holds($0.test, packet, pass) != $0.negated }
  }

  private func holds(_ test: Test, _ packet: PacketFields, _ pass: Pass) -> Bool {
    let isTCP = packet.protocolNumber == 6 && packet.hasPorts
    switch test {
    case .version(let version): return packet.version == version
    case .protocolNumber(let number): return packet.protocolNumber == number
    case .source(let match): return holds(match, packet.version, packet.source4, packet.source6)
    case .destination(let match):
      return holds(match, packet.version, packet.destination4, packet.destination6)
    case .sourcePort(let ranges): return packet.hasPorts && ranges.contains { $0.contains(packet.sourcePort) }
    case .destinationPort(let ranges):
      return packet.hasPorts && ranges.contains { $0.contains(packet.destinationPort) }
    case .direction(let direction): return pass.direction == direction
    case .received(let match): return holds(match, pass.receiveInterface)
    case .transmitted(let match): return pass.direction == .outgoing && holds(match, pass.transmitInterface)
    case .via(let match):
      return holds(match, pass.direction == .incoming ? pass.receiveInterface : pass.transmitInterface)
    case .icmpTypes(let types):
      return packet.version == 4 && packet.hasICMPType && packet.icmpType < 32
        && types & 1 << UInt32(packet.icmpType) != 0
    case .tcpFlags(let match): return isTCP && match.holds(for: packet.tcpFlags)
    case .established: return isTCP && packet.tcpFlags & 0x16 != 0x02
    case .fragment(let match):
      return packet.version == 4
        ? match.holds(for: packet.fragmentBits) : match == .laterFragment && packet.fragmentOffset != 0
    case .diverted(let direction): return pass.isReinjected && (direction ?? pass.direction) == pass.direction
    }
  }

  private func holds(
    _ match: AddressMatch, _ version: UInt8, _ address4: IPv4Address, _ address6: IPv6Address
  ) -> Bool {
    let (is4, is6) = (version == 4, version == 6)
    func holds4(_ address: IPv4Address, _ mask: UInt32) -> Bool {
      is4 && address4.rawValue & mask == address.rawValue
    }
    func holds6(_ address: IPv6Address, _ mask: IPv6Address) -> Bool {
      is6 && address6.high & mask.high == address.high && address6.low & mask.low == address.low
    }
    switch match {
    case .me:
      return is4
        ? host.interfaces.contains { $0.addresses4.contains(address4) }
        : host.interfaces.contains { $0.addresses6.contains(address6) }
    case .me6: return is6 && host.interfaces.contains { $0.addresses6.contains(address6) }
    case .network4(let address, let mask): return holds4(address, mask)
    case .network6(let address, let mask): return holds6(address, mask)
    case .networks4(let networks): return networks.contains { holds4($0.address, $0.mask) }
    case .networks6(let networks): return networks.contains { holds6($0.address, $0.mask) }
    case .set4(let set): return is4 && set.addresses.contains { $0.contains(address4.rawValue) }
    }
  }

  private func holds(_ match: InterfaceMatch, _ index: UInt32) -> Bool {
    host.interfaces.contains { $0.index == index && index != 0 && match.matches($0) }
  }
}
