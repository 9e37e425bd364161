import DivertEngine
import DivertWire
import Firewall
import Glibc
import Packets
import TestSupport
import Testing

/// Keeps what is delivered.
struct RecordingSink: DivertSink {
  var bound: Set<UInt16> = [2000, 2001]
  var room = Int.max
  var frames: [(port: UInt16, header: FrameHeader, packet: [UInt8])] = []
  var wantsWhole = false
  var longestPacket = 65_535
  var proceeded: [(packet: [UInt8], onward: Onward)] = []

  func isBound(port: UInt16) -> Bool { bound.contains(port) }
  func wantsWholePackets(port: UInt16) -> Bool { wantsWhole && bound.contains(port) }
  mutating func proceed(_ packet: RawSpan, _ onward: Onward) {
    proceeded.append(([UInt8](packet), onward))
  }

  mutating func deliver(
    _ packet: RawSpan, to port: UInt16, _ header: FrameHeader, _ origin: PacketOrigin
  ) -> Delivery {
    guard bound.contains(port) else { return .noListener }
    guard frames.count < room else { return .full }
    frames.append((port, header, [UInt8](packet)))
    return .delivered
  }
}

struct DivertEngineTests {
  static let echo = hex("4500001c 00010000 4001 f6dc c0000201 c0000202 0800 f7fd 0001 0001")
  static let view = HostView(interfaces: [
    .init(index: 1, name: "lo0", addresses4: [.init(rawValue: 0x7f00_0001)]),
    .init(index: 3, name: "em0", addresses4: [.init(rawValue: 0xc000_0202)]),
    .init(index: 4, name: "em1", addresses4: [.init(rawValue: 0xc633_6401)]),
  ])
  static let incoming = Pass(direction: .incoming, receiveInterface: 3)
  static let forwarded = Pass(direction: .outgoing, receiveInterface: 3, transmitInterface: 4)
  static let local = Pass(direction: .outgoing, receiveInterface: 0, transmitInterface: 4)

  private func engine(_ rules: String...) throws -> DivertEngine {
    var set = RuleSet(default: .allow)
    for rule in rules { try set.add(Rule(rule)) }
    return DivertEngine(ruleSet: set, view: Self.view)
  }

  @Test func `a diverted packet is delivered with the number of its rule, and gone`() throws {
    var engine = try engine("100 divert 2000 icmp from any to any in icmptypes 8")
    var sink = RecordingSink()
    #expect(engine.judge(Self.echo.rawSpan, Self.incoming, to: &sink) == .consumed)
    #expect(sink.frames.map(\.packet) == [Self.echo])
    #expect(
      sink.frames.map(\.header) == [
        FrameHeader(tag: 100, interface: 3, flags: [], passes: 0, operation: .diverted)
      ])
    #expect(engine.counters.delivered == 1)
    #expect(engine.ruleCounters[engine.ruleSet.entries[0].slot].packets == 1)
    #expect(engine.judge(Self.echo.rawSpan, Self.local, to: &sink) == .proceed)
    #expect(sink.frames.count == 1)
  }

  static let interfaces: [(Pass, FrameHeader.Flags, UInt32, FrameHeader.Flags)] = [
    (incoming, [], 3, []),
    (incoming, [.broadcast], 3, [.broadcast]),
    (incoming, [.multicast, .outgoing, .tee], 3, [.multicast]),
    (forwarded, [], 3, [.outgoing]),
    (local, [], 4, [.outgoing, .transmitInterface]),
  ]
  @Test func `the interface that is told`() throws {
    for (pass, arrival, interface, flags) in Self.interfaces {
      var engine = try engine("100 divert 2000 ip from any to any")
      var sink = RecordingSink()
      _ = engine.judge(Self.echo.rawSpan, pass, passes: 3, arrival: arrival, to: &sink)
      #expect(
        sink.frames.map(\.header) == [
          FrameHeader(
            tag: 100, interface: interface, flags: flags, passes: 3, operation: .diverted)
        ], "\(pass)")
    }
  }

  @Test func `tee copies and the packet goes on at the very next rule`() throws {
    var engine = try engine("100 tee 2000 ip from any to any", "100 tee 2001 ip from any to any")
    var sink = RecordingSink()
    #expect(engine.judge(Self.echo.rawSpan, Self.incoming, to: &sink) == .proceed)
    #expect(sink.frames.map(\.port) == [2000, 2001])
    #expect(sink.frames.allSatisfy { $0.header.flags == .tee && $0.header.tag == 100 })
    sink.bound = []
    #expect(engine.judge(Self.echo.rawSpan, Self.incoming, to: &sink) == .proceed)
    #expect(engine.counters.noListener == 2)
  }

  @Test func `nobody listens, no room, too many passes: dropped and counted`() throws {
    var engine = try engine("100 divert 2000 ip from any to any")
    var sink = RecordingSink()
    sink.bound = []
    #expect(engine.judge(Self.echo.rawSpan, Self.incoming, to: &sink) == .consumed)
    #expect(engine.counters.noListener == 1)
    sink.bound = [2000]
    sink.room = 0
    #expect(engine.judge(Self.echo.rawSpan, Self.incoming, to: &sink) == .consumed)
    #expect(engine.counters.droppedFull == 1)
    sink.room = 10
    #expect(engine.judge(Self.echo.rawSpan, Self.incoming, passes: 15, to: &sink) == .consumed)
    #expect(engine.counters.delivered == 1 && engine.counters.looped == 0)
    #expect(engine.judge(Self.echo.rawSpan, Self.incoming, passes: 16, to: &sink) == .consumed)
    #expect(engine.counters.delivered == 1 && engine.counters.looped == 1)
    #expect(sink.frames.count == 1)
  }

  @Test func `denied`() throws {
    var engine = try engine("100 deny ip from any to any")
    var sink = RecordingSink()
    #expect(engine.judge(Self.echo.rawSpan, Self.incoming, to: &sink) == .denied)
  }

  @Test func `a written packet restarts behind its tag, in the rules of now`() throws {
    var engine = try engine(
      "100 divert 2000 ip from any to any", "100 divert 2001 ip from any to any",
      "200 divert 2001 ip from any to any")
    func index(_ tag: UInt16) -> Int? {
      let header = FrameHeader(
        tag: tag, interface: 3, flags: [], passes: 1, operation: .reinject)
      guard case .reenters(let reentry) = engine.admit(Self.echo.rawSpan, header) else { return nil }
      return reentry.index
    }
    #expect(index(0) == 0)
    #expect(index(99) == 0)
    #expect(index(100) == 2)
    #expect(index(200) == 3)
    #expect(index(65_535) == 3)
    var set = engine.ruleSet
    try set.add(Rule("150 deny ip from any to any"))
    engine.replace(set)
    #expect(index(100) == 2)
    #expect(engine.ruleSet.entries[2].rule.number == 150)
  }

  static let admissions: [(UInt32, FrameHeader.Flags, UInt8, Pass?, CInt?)] = [
    (3, [], 1, incoming, nil),
    (3, [.broadcast], 16, incoming, nil),
    (3, [], 17, nil, ELOOP),
    (0, [], 1, nil, EADDRNOTAVAIL),
    (9, [], 1, nil, EADDRNOTAVAIL),
    (3, [.outgoing], 1, Pass(direction: .outgoing, receiveInterface: 3), nil),
    (
      4, [.outgoing, .transmitInterface], 1,
      Pass(direction: .outgoing, receiveInterface: 0, transmitInterface: 4), nil
    ),
    (9, [.outgoing], 1, Pass(direction: .outgoing, receiveInterface: 0), nil),
    (0, [.outgoing], 1, Pass(direction: .outgoing, receiveInterface: 0), nil),
  ]
  @Test func `direction and interface of a written packet`() throws {
    for (interface, flags, passes, pass, code) in Self.admissions {
      var engine = try engine("100 deny ip from any to any")
      let header = FrameHeader(
        tag: 0, interface: interface, flags: flags, passes: passes, operation: .reinject)
      let name = Comment(rawValue: "interface \(interface), flags \(flags.rawValue), passes \(passes)")
      switch engine.admit(Self.echo.rawSpan, header) {
      case .reenters(let reentry):
        var wanted = pass
        wanted?.isReinjected = true
        #expect(reentry.pass == wanted, name)
        #expect(reentry.passes == passes && code == nil, name)
        #expect(reentry.arrival == flags.intersection([.broadcast, .multicast]), name)
        #expect(engine.counters.reinjectedIncoming + engine.counters.reinjectedOutgoing == 1, name)
      case .refused(let refusal):
        #expect(refusal == code, name)
        #expect(engine.counters == DivertCounters(), name)
      }
    }
    var engine = try engine()
    let header = FrameHeader(
      tag: 0, interface: 3, flags: .outgoing, passes: 1, operation: .reinject)
    #expect(engine.admit(Self.echo.rawSpan.extracting(first: 27), header) == .refused(EINVAL))
  }

  @Test func `a slot that is used anew counts from zero`() throws {
    var engine = try engine("100 count ip from any to any")
    var sink = RecordingSink()
    _ = engine.judge(Self.echo.rawSpan, Self.incoming, to: &sink)
    var set = engine.ruleSet
    let slot = set.entries[0].slot
    set.delete(100...100)
    engine.replace(set)
    try set.add(Rule("200 count ip from any to any"))
    engine.replace(set)
    #expect(engine.ruleSet.entries[0].slot == slot)
    #expect(engine.ruleCounters[slot].packets == 0)
  }
}
