package import DivertWire
package import Firewall
package import Packets

/// How a packet goes on that its host has given to the engine.
package struct Onward: Equatable, Sendable {
  package var pass: Pass
  /// How often the packet has been written back in this pass.
  package var passes: UInt8
  /// How it came on the link layer: broadcast or multicast.
  package var arrival: FrameHeader.Flags
  package var origin: PacketOrigin

  package init(
    _ pass: Pass, passes: UInt8 = 0, arrival: FrameHeader.Flags = [], origin: PacketOrigin = PacketOrigin()
  ) {
    (self.pass, self.passes, self.origin) = (pass, passes, origin)
    self.arrival = arrival.intersection(.arrival)
  }
}

/// What the engine remembers of a fragment that waits for the others.
package struct HeldFragment: Sendable {
  let onward: Onward
  /// Where a rule has diverted it; nil: it may go on.
  let diverted: FrameHeader?
  /// Where in the rules judgement of the whole begins: that of a datagram that this host has made.
  let index: Int
}

package typealias HeldDatagram = FragmentQueue<HeldFragment>.Datagram

/// Fragments of one datagram are kept apart by these from those that only look alike.
enum FragmentDomain: UInt8 {
  case incoming, forwarded, locallyMade

  init(_ pass: Pass) {
    self = pass.direction == .incoming ? .incoming : pass.receiveInterface == 0 ? .locallyMade : .forwarded
  }
}

/// The rule set's gates, as they can be asked.
struct ResolvedGates: Sendable {
  private let received: ResolvedRules?
  private let locallyMade: ResolvedRules?
  private var ignored = RuleCounters(for: RuleSet(default: .deny))

  init(_ ruleSet: RuleSet, _ view: HostView) {
    func resolve(_ gate: FragmentGate) -> ResolvedRules? {
      gate.isEmpty ? nil : ResolvedRules(ruleSet: gate.ruleSet, host: view)
    }
    (received, locallyMade) = (resolve(.received(ruleSet)), resolve(.locallyMade(ruleSet)))
  }

  /// Whether a rule might divert the datagram of a received fragment to a port that takes whole packets.
  mutating func mayDivert<Sink: DivertSink & ~Copyable>(
    _ fields: PacketFields, _ pass: Pass, for sink: borrowing Sink
  ) -> Bool {
    guard let received else { return false }
    var index = 0
    while true {
      let verdict = received.evaluate(fields, pass, from: index, counters: &ignored)
      guard case .divert(let port) = verdict.decision else { return false }
      if sink.wantsWholePackets(port: port) { return true }
      index = verdict.next
    }
  }

  /// Whether a rule might tell a fragment of this host's from its datagram.
  mutating func mayNotice(_ fields: PacketFields, _ pass: Pass) -> Bool {
    locallyMade?.evaluate(fields, pass, from: 0, counters: &ignored).decision == .allow
  }
}
