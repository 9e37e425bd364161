package import Firewall
import Packets

/// A line of a table: what ipfw(8) says that some rules do with a packet.
///
/// ```
/// title  rule ; rule  packet  pass  verdict
/// ```
///
/// Two blanks or more stand between columns. Rules are as one types them behind `add`, other commands as behind
/// `ipfw`; the default rule denies. A packet is a ``PacketText``. A pass is `in em0`, `out em1`, or
/// `out em1 recv em0` for a forwarded packet, and `after TAG` where it was written back. The verdict names every
/// rule that counts the packet, in order: `100 count ; 200 tee 3000 ; 65535 deny`, or `unread` where it is
/// dropped before all rules.
///
/// Somebody listens on ports 2000…2003, nobody on those from 3000 on.
package struct VerdictCase: Sendable, CustomStringConvertible {
  package let title: String
  package let rules: String
  package let packet: String
  package let pass: String
  package let verdict: String

  package init(title: String, rules: String, packet: String, pass: String, verdict: String) {
    self.title = title
    self.rules = rules
    self.packet = packet
    self.pass = pass
    self.verdict = verdict
  }

  package var description: String { "\(title): \(rules): \(packet), \(pass)" }

  static func table(_ text: String) -> [VerdictCase] {
    text.split(separator: "\n").map { line in
      let columns = line.split(separator: "  ").map { String($0.drop { $0 == " " }) }
      guard columns.count == 5 else { fatalError("\(columns.count) columns: \(line)") }
      return VerdictCase(
        title: columns[0], rules: columns[1], packet: columns[2], pass: columns[3], verdict: columns[4])
    }
  }

  package static let all = [
    addresses, protocols, ports, interfaces, tcpFlags, icmpTypes, fragments, version6, blocks, actions, sets,
    restarts, diverted, neighbourDiscovery, oddPackets,
  ].flatMap { table($0) }

  package func ruleSet() throws -> RuleSet {
    let lines = rules.split(separator: " ; ").map { line in
      ["set ", "delete "].contains { line.hasPrefix($0) } ? line : "add " + line
    }
    return try RuleFile.load(
      text: lines.joined(separator: "\n"), into: RuleSet(default: .deny), names: .builtIn)
  }
}

/// Where the packet of a ``VerdictCase`` is, on a host that has interfaces lo0, em0, em1 and tun0.
package struct VerdictPass {
  /// The interface of the pass has index 1: the kernel's test runs know no other.
  package let view: HostView
  package private(set) var pass: Pass
  /// 0: not written back.
  package private(set) var tag: UInt16 = 0

  package init(_ text: String) {
    var words = text.split(separator: " ").map(String.init)
    if words.count > 2, words[words.count - 2] == "after" {
      tag = decimal(words[words.count - 1])
      words.removeLast(2)
    }
    let names = [words[1]] + Self.addresses.keys.filter { $0 != words[1] }.sorted()
    view = HostView(
      interfaces: zip(UInt32(1)..., names).map { index, name in
        let addresses = Self.addresses[name] ?? { fatalError("no interface: \(name)") }()
        return HostView.Interface(
          index: index, name: name, addresses4: addresses.compactMap { IPv4Address($0) },
          addresses6: addresses.compactMap { IPv6Address($0) })
      })
    switch (words[0], words.count) {
    case ("in", 2): pass = Pass(direction: .incoming, receiveInterface: 1)
    case ("out", 2): pass = Pass(direction: .outgoing, receiveInterface: 0, transmitInterface: 1)
    case ("out", 4):
      let received = view.interfaces.first { $0.name == words[3] }?.index ?? 0
      pass = Pass(direction: .outgoing, receiveInterface: received, transmitInterface: 1)
    default: fatalError("no pass: \(text)")
    }
    pass.isReinjected = tag != 0
  }

  private static let addresses = [
    "lo0": ["127.0.0.1", "::1"], "em0": ["192.0.2.2", "192.0.2.3", "2001:db8::2"],
    "em1": ["198.51.100.1", "2001:db8:1::1"], "tun0": [],
  ]
}

/// What became of the packet, apart from what was counted.
package enum VerdictOutcome {
  case allowed, gone
  case diverted(port: UInt16, tag: UInt16)
}

extension VerdictCase {
  /// The verdict in the table's words.
  package func text(
    _ outcome: VerdictOutcome, _ ruleSet: RuleSet, length: Int,
    counted: (_ slot: Int) -> (packets: UInt64, bytes: UInt64)
  ) -> String {
    var steps: [String] = []
    var last: UInt16?
    for entry in ruleSet.entries {
      let counter = counted(entry.slot)
      if counter == (0, 0) { continue }
      var step = "\(entry.rule.number) \(Self.text(entry.rule.action))"
      if counter != (1, UInt64(length)) { step += " (\(counter.packets) packets, \(counter.bytes) bytes)" }
      steps.append(step)
      last = entry.rule.number
    }
    // what happened must be what the last rule says
    let end =
      switch outcome {
      case .allowed: "\(last ?? 0) allow"
      case .gone: last.map { "\($0) deny" } ?? "unread"
      case .diverted(let port, let tag): "\(tag) divert \(port)"
      }
    if last == nil || steps.last != end { steps.append(end) }
    return steps.joined(separator: " ; ")
  }

  private static func text(_ action: Action) -> String {
    switch action {
    case .allow: "allow"
    case .deny: "deny"
    case .count: "count"
    case .divert(let port): "divert \(port)"
    case .tee(let port): "tee \(port)"
    case .skipto(let number): "skipto \(number)"
    }
  }
}
