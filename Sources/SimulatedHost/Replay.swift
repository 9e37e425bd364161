import DivertEngine
import DivertWire
package import Firewall
import Packets

/// What rules would do with packets that somebody else has captured: one pass each, on a host of nothing but
/// interfaces and rules.
///
/// Whatever comes is judged, fragments one by one, and nothing is dropped but by a rule.
package struct Replay: Sendable {
  package enum Way: Equatable, Sendable {
    case incoming(on: String)
    /// Made by this host: there is no receive interface.
    case outgoing(on: String)
  }

  package enum Fate: Equatable, Sendable {
    case accepted, denied
    /// Diverted, and nobody has written it back.
    case diverted
    /// To be diverted once more than ``DivertWire/FrameHeader/passLimit`` allows, and dropped.
    case looped
    /// No rule has seen it, since its header cannot be read: denied (ip_fw2.c: "pullup failed").
    case unreadable
  }

  private var state = HostState(forwards: false)
  private let pass: Pass
  private var sink: ReplaySink

  /// - Parameters:
  ///   - addresses: Such as `192.0.2.1/24`, by interface; an interface that only ``Way`` names has none.
  ///   - echoing: Ports behind which a program writes everything back as it came; behind others there is none.
  package init(
    _ rules: RuleSet, interfaces: [(name: String, addresses: [String])], _ way: Way, echoing: Set<UInt16>
  ) throws(SimulationError) {
    for (name, addresses) in interfaces {
      var prefixes: [Prefix] = []
      for text in addresses { prefixes.append(try Prefix(text)) }
      state.add(prefixes, to: try state.need(name))
    }
    switch way {
    case .incoming(let name):
      pass = Pass(direction: .incoming, receiveInterface: try state.need(name))
    case .outgoing(let name):
      pass = Pass(direction: .outgoing, receiveInterface: 0, transmitInterface: try state.need(name))
    }
    state.engine.replace(rules)
    state.engine.waitsForFragments = false
    sink = ReplaySink(echoing: echoing)
  }

  /// What the rules have said about the last packet, in order: each `tee` and `divert`, and at last, unless it was
  /// diverted for good, how they have decided.
  package var verdicts: [Verdict] { sink.verdicts }

  /// What a rule has counted.
  package func counter(_ slot: Int) -> RuleCounters.Counter { state.engine.ruleCounters[slot] }

  package var counters: RuleCounters { state.engine.ruleCounters }

  /// - Parameters:
  ///   - packet: From the IP header on; of a packet that was captured in part, the beginning.
  ///   - wireLength: How long the whole packet was.
  ///   - time: In nanoseconds since 1970; nil leaves the clock where it is.
  package mutating func judge(_ packet: RawSpan, wireLength: Int, time: UInt64?) -> Fate {
    sink.verdicts.removeAll(keepingCapacity: true)
    if let time { state.now = time }
    let fields = PacketFields(parsing: packet, wireLength: wireLength)
    var pass = pass
    var index = 0
    var passes: UInt8 = 0
    while true {
      sink.returned = nil
      sink.isDelivered = false
      let judgement = state.engine.judge(packet, fields, pass, from: index, passes: passes, to: &sink)
      switch judgement {
      case .proceed: return .accepted
      case .denied: return fields.isReadable ? .denied : .unreadable
      case .consumed:
        guard sink.isDelivered else { return .looped }
        guard let tag = sink.returned else { return .diverted }
        index = state.engine.ruleSet.index(after: tag)
        passes += 1
        pass.isReinjected = true
      }
    }
  }
}

extension HostState {
  /// The index of an interface that is made if there is none of this name.
  fileprivate mutating func need(_ name: String) throws(SimulationError) -> UInt32 {
    if let index = try? index(of: name) { return index }
    return try addInterface(name, [], mtu: 65_535)
  }
}

/// The programs behind the ports, and a note of what is said.
private struct ReplaySink: DivertSink {
  let echoing: Set<UInt16>
  var verdicts: [Verdict] = []
  /// The packet has come to a port.
  var isDelivered = false
  /// The tag with which it was written back.
  var returned: UInt16?

  init(echoing: Set<UInt16>) { self.echoing = echoing }

  mutating func deliver(
    _ packet: RawSpan, to port: UInt16, _ header: FrameHeader, _ origin: PacketOrigin
  ) -> Delivery {
    guard !header.flags.contains(.tee) else { return .delivered }
    isDelivered = true
    returned = echoing.contains(port) ? header.tag : nil
    return .delivered
  }

  func isBound(port: UInt16) -> Bool { echoing.contains(port) }
  func wantsWholePackets(port: UInt16) -> Bool { false }
  mutating func proceed(_ packet: RawSpan, _ onward: Onward) {}

  mutating func note(_ verdict: Verdict) { verdicts.append(verdict) }
}
