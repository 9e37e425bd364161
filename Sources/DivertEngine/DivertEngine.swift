package import DivertWire
package import Firewall
package import Packets

/// The semantics of divert(4): what becomes of a packet in a pass, and of one that a program writes.
///
/// It holds the rules in force and counts; interfaces, routes and sockets are its host's. Every host uses it:
/// the simulated one for all packets, divertd for those that the kernel's hooks could not judge.
package struct DivertEngine: Sendable {
  package private(set) var ruleSet: RuleSet
  /// What the host looks like to the rules.
  package private(set) var view: HostView
  package var ruleCounters: RuleCounters
  package internal(set) var counters = DivertCounters()
  private var resolved: ResolvedRules

  package init(ruleSet: RuleSet, view: HostView) {
    self.ruleSet = ruleSet
    self.view = view
    ruleCounters = RuleCounters(for: ruleSet)
    resolved = ResolvedRules(ruleSet: ruleSet, host: view)
  }

  /// Puts other rules in force, for all packets from the next one on. The counters of slots that
  /// another rule has got start anew.
  package mutating func replace(_ ruleSet: RuleSet) {
    let before = Dictionary(self.ruleSet.entries.map { ($0.slot, $0.rule) }) { first, _ in first }
    for entry in ruleSet.entries where before[entry.slot]?.inSet(entry.rule.set) != entry.rule {
      ruleCounters.clear(slot: entry.slot)
    }
    self.ruleSet = ruleSet
    ruleCounters.resize(for: ruleSet)
    resolved = ResolvedRules(ruleSet: ruleSet, host: view)
  }

  /// Takes notice of other interfaces or addresses.
  package mutating func replace(_ view: HostView) {
    self.view = view
    resolved = ResolvedRules(ruleSet: ruleSet, host: view)
  }

  /// Applies the rules to a packet in a pass, and delivers what they divert.
  ///
  /// - Parameters:
  ///   - index: Where in the rules to begin: 0 for a fresh packet, ``Reentry/index`` for one that a program
  ///     wrote, that of the rule where the kernel stopped for an upcall.
  ///   - passes: How often the packet has been written back in this pass.
  ///   - arrival: How it came on the link layer: broadcast or multicast.
  ///   - sink: Gets what the rules divert; it may be called several times, once for each `tee` and at last
  ///     for a `divert`.
  /// - Complexity: O(number of rules), no allocation.
  package mutating func judge<Sink: DivertSink & ~Copyable>(
    _ packet: RawSpan, _ pass: Pass, from index: Int = 0, passes: UInt8 = 0,
    arrival: FrameHeader.Flags = [], to sink: inout Sink
  ) -> Judgement {
    judge(
      packet, PacketFields(parsing: packet), pass, from: index, passes: passes, arrival: arrival, to: &sink)
  }

  /// The same for a packet whose fields have been read.
  package mutating func judge<Sink: DivertSink & ~Copyable>(
    _ packet: RawSpan, _ fields: PacketFields, _ pass: Pass, from index: Int, passes: UInt8,
    arrival: FrameHeader.Flags = [], to sink: inout Sink
  ) -> Judgement {
    var index = index
    while true {
      let verdict = resolved.evaluate(fields, pass, from: index, counters: &ruleCounters)
      sink.note(verdict)
      switch verdict.decision {
      case .allow: return .proceed
      case .deny: return .denied
      case .tee(let port):
        var header = Self.header(pass, port, verdict.ruleNumber, passes, arrival)
        header.flags.insert(.tee)
        counters.count(sink.deliver(packet, header))
        index = verdict.next
      case .divert(let port):
        guard passes < FrameHeader.passLimit else {
          counters.looped += 1
          return .consumed
        }
        let header = Self.header(pass, port, verdict.ruleNumber, passes, arrival)
        counters.count(sink.deliver(packet, header))
        return .consumed
      }
    }
  }

  private static func header(
    _ pass: Pass, _ port: UInt16, _ tag: UInt16, _ passes: UInt8, _ arrival: FrameHeader.Flags
  ) -> FrameHeader {
    var flags = arrival.intersection([.broadcast, .multicast])
    var interface = pass.receiveInterface
    if pass.direction == .outgoing {
      flags = .outgoing
      if interface == 0 {
        interface = pass.transmitInterface
        flags.insert(.transmitInterface)
      }
    }
    return FrameHeader(
      port: port, tag: tag, interface: interface, flags: flags, passes: passes, operation: .diverted)
  }
}

/// What the rules say in the end.
package enum Judgement: Equatable, Sendable {
  /// The packet goes on in its pass.
  case proceed
  /// A rule denied it.
  case denied
  /// It was diverted: whoever reads it has it, or it was dropped and counted.
  case consumed
}

/// Where diverted packets go.
package protocol DivertSink: ~Copyable {
  /// Hands a packet to whoever has bound the header's port.
  mutating func deliver(_ packet: RawSpan, _ header: FrameHeader) -> Delivery

  /// Hears each thing that the rules say on the way, in order.
  mutating func note(_ verdict: Verdict)
}

extension DivertSink where Self: ~Copyable {
  package mutating func note(_ verdict: Verdict) {}
}

package enum Delivery: Equatable, Sendable {
  case delivered
  /// Nobody has bound the port.
  case noListener
  /// The receive buffer has no room.
  case full
}

/// What has happened on the host, as BSD's net.inet.divert.stats tells and a little more.
package struct DivertCounters: Sendable, Equatable {
  /// Packets and copies that a socket got.
  package var delivered: UInt64 = 0
  package var noListener: UInt64 = 0
  package var droppedFull: UInt64 = 0
  /// Packets that were to be diverted after ``FrameHeader/passLimit`` passes.
  package var looped: UInt64 = 0
  package var reinjectedIncoming: UInt64 = 0
  package var reinjectedOutgoing: UInt64 = 0

  package init() {}

  mutating func count(_ delivery: Delivery) {
    switch delivery {
    case .delivered: delivered += 1
    case .noListener: noListener += 1
    case .full: droppedFull += 1
    }
  }
}
