package import DivertWire
package import Firewall
package import Packets

/// The semantics of divert(4): what becomes of a packet in a pass, and of one that a program writes.
///
/// It holds the rules in force, the fragments that wait, and counts; interfaces, routes and sockets are its host's.
/// Every host uses it: the simulated one for all packets, divertd for those that the kernel's hooks could not judge.
package struct DivertEngine: Sendable {
  /// The rules in force.
  package private(set) var rules: RulesForHost
  package var ruleCounters: RuleCounters
  package internal(set) var counters = DivertCounters()
  /// Ports where packets go on with the next rule while nobody listens; elsewhere they are dropped (divert(4)).
  package var passingPorts: Set<UInt16> = []
  /// Whether fragments are judged with the rest of their datagram, where that may make a difference; if not, each is
  /// judged and delivered as it is.
  package var waitsForFragments = true
  /// Of a clock that does not go back, in nanoseconds: for fragments that wait.
  package var now: UInt64 = 0
  package internal(set) var fragments: FragmentQueue<HeldFragment>

  package var ruleSet: RuleSet { rules.ruleSet }
  /// What the host looks like to the rules.
  package var view: HostView { rules.view }

  package init(ruleSet: RuleSet, view: HostView, fragmentLimits: FragmentQueue<HeldFragment>.Limits = .init())
  {
    rules = RulesForHost(ruleSet, view)
    ruleCounters = RuleCounters(for: ruleSet)
    fragments = FragmentQueue(limits: fragmentLimits)
  }

  /// Puts other rules in force, for all packets from the next one on. The counters of slots that
  /// another rule has got start anew.
  package mutating func replace(_ ruleSet: RuleSet) {
    for slot in ruleSet.newSlots(since: self.ruleSet) { ruleCounters.clear(slot: slot) }
    replace(RulesForHost(ruleSet, view, after: rules))
  }

  /// Takes notice of other interfaces or addresses.
  package mutating func replace(_ view: HostView) { replace(RulesForHost(ruleSet, view, after: rules)) }

  /// Puts rules in force that were prepared beforehand. No counter is cleared.
  package mutating func replace(_ rules: RulesForHost) {
    self.rules = rules
    ruleCounters.resize(for: rules.ruleSet)
  }

  /// The ``passingPorts`` that there are after a port's policy has changed.
  package func passingPorts(with policy: UnboundPolicy, ofPort port: UInt16) -> Set<UInt16> {
    switch policy {
    case .drop: passingPorts.subtracting([port])
    case .pass: passingPorts.union([port])
    }
  }

  /// Applies the rules to a packet in a pass, and delivers what they divert.
  ///
  /// - Parameters:
  ///   - index: Where in the rules to begin: 0 for a fresh packet, ``Reentry/index`` for one that a program
  ///     wrote, that of the rule where the kernel stopped for an upcall.
  ///   - passes: How often the packet has been written back in this pass.
  ///   - arrival: How it came on the link layer: broadcast or multicast.
  ///   - path: Where the host has written down its path.
  ///   - origin: What else is known of it.
  ///   - sink: Gets what the rules divert; it may be called several times, once for each `tee` and at last
  ///     for a `divert`. Where the packet is the last fragment of a datagram, it gets those that waited, too.
  /// - Complexity: That of ``RuleImage/evaluate(_:_:from:counters:)``, no allocation but for fragments.
  package mutating func judge<Sink: DivertSink & ~Copyable>(
    _ packet: RawSpan, _ pass: Pass, from index: Int = 0, passes: UInt8 = 0,
    arrival: FrameHeader.Flags = [], path: FramePath = .none, origin: PacketOrigin = PacketOrigin(),
    to sink: inout Sink
  ) -> Judgement {
    judge(
      packet, PacketFields(parsing: packet), pass, from: index, passes: passes, arrival: arrival, path: path,
      origin: origin, to: &sink)
  }

  /// The same for a packet whose fields have been read.
  package mutating func judge<Sink: DivertSink & ~Copyable>(
    _ packet: RawSpan, _ fields: PacketFields, _ pass: Pass, from index: Int, passes: UInt8,
    arrival: FrameHeader.Flags = [], path: FramePath = .none, origin: PacketOrigin = PacketOrigin(),
    to sink: inout Sink
  ) -> Judgement {
    let onward = Onward(pass, passes: passes, arrival: arrival, path: path, origin: origin)
    if fields.isFragment, waitsForFragments {
      return judge(fragment: packet, fields, onward, from: index, to: &sink)
    }
    switch ending(packet, fields, onward, from: index, to: &sink) {
    case .proceed: return .proceed
    case .denied: return .denied
    case .looped: return .consumed
    case .divert(let port, let header):
      counters.count(sink.deliver(packet, to: port, header, onward.origin))
      return .consumed
    }
  }

  /// What the rules say in the end, of a packet that may have to wait for others.
  enum Ending {
    case proceed, denied, looped
    /// Yet to be delivered.
    case divert(port: UInt16, FrameHeader)
  }

  /// Asks the rules until one decides; copies by `tee` are made on the way.
  mutating func ending<Sink: DivertSink & ~Copyable>(
    _ packet: RawSpan, _ fields: PacketFields, _ onward: Onward, from index: Int, to sink: inout Sink
  ) -> Ending {
    var index = index
    var pass = onward.pass
    while true {
      let verdict = rules.image.evaluate(fields, pass, from: index, counters: &ruleCounters)
      sink.note(verdict)
      switch verdict.decision {
      case .allow: return .proceed
      case .deny: return .denied
      case .tee(let port):
        var header = FrameHeader(onward, .diverted, tag: verdict.ruleNumber)
        header.flags.insert(.tee)
        counters.count(sink.deliver(packet, to: port, header, onward.origin))
        index = verdict.next
        // The mark of a packet that was written back is replaced by tee's, as on BSD.
        pass.isReinjected = false
      case .divert(let port):
        if passingPorts.contains(port), !sink.isBound(port: port) {
          counters.count(.noListener)
          index = verdict.next
          continue
        }
        guard onward.passes < FrameHeader.passLimit else {
          counters.looped += 1
          return .looped
        }
        return .divert(port: port, FrameHeader(onward, .diverted, tag: verdict.ruleNumber))
      }
    }
  }
}
