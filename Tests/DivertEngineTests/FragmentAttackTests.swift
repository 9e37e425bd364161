import DivertEngine
import DivertWire
import Firewall
import Packets
import TestSupport
import Testing

/// Fragments sent in bad faith: what they cost, what becomes of them, and what is counted.
struct FragmentAttackTests {
  private static let incoming = DivertEngineTests.incoming
  private let second: UInt64 = 1_000_000_000

  private func engine(_ rule: String) throws -> DivertEngine {
    var set = RuleSet(default: .allow)
    try set.add(Rule(rule))
    return DivertEngine(ruleSet: set, view: DivertEngineTests.view)
  }

  private func sink() -> RecordingSink {
    var sink = RecordingSink()
    sink.wantsWhole = true
    return sink
  }

  private func fragment(
    _ identification: UInt16, _ offset: Int, _ count: Int, more: Bool, version: UInt8 = 4, source: UInt16 = 1
  ) throws -> [UInt8] {
    let data = [UInt8](repeating: UInt8(truncatingIfNeeded: identification), count: count)
    guard version == 6 else {
      var packet = try Sample.packet(
        17, "10.0.\(source >> 8).\(source & 255)", "192.0.2.2", data, fragmentOffset: offset,
        moreFragments: more)
      (packet[4], packet[5]) = (UInt8(identification >> 8), UInt8(identification & 255))
      return packet
    }
    let place = UInt16(offset) | (more ? 1 : 0)
    let header = [
      17, 0, UInt8(place >> 8), UInt8(place & 255), 0, 0, UInt8(identification >> 8),
      UInt8(identification & 255),
    ]
    return try Sample.packet(44, "2001:db8::\(String(source, radix: 16))", "2001:db8:1::2", header + data)
  }

  @Test(arguments: [4, 6] as [UInt8])
  func `a flood of first fragments is held within the limits, and all are accounted for`(_ version: UInt8)
    throws
  {
    var engine = try engine("100 divert 2000 udp from any to any in")
    var sink = sink()
    let count = 20_000
    for number in 0..<count {
      let packet = try fragment(
        UInt16(number % 50), 0, 1200, more: true, version: version, source: UInt16(number / 50))
      #expect(engine.judge(packet.rawSpan, Self.incoming, to: &sink) == .consumed)
      #expect(engine.fragments.heldDatagrams <= engine.fragments.limits.datagrams)
      #expect(engine.fragments.heldBytes <= engine.fragments.limits.bytes)
    }
    #expect(sink.frames.isEmpty && sink.proceeded.isEmpty)
    #expect(engine.fragments.counters.fragments == UInt64(count))
    #expect(engine.fragments.counters.evicted == engine.counters.droppedFragments)
    #expect(Int(engine.counters.droppedFragments) + engine.fragments.heldDatagrams == count)
    // Still there for others.
    let good = [
      try fragment(7, 0, 24, more: true, version: version, source: 9999),
      try fragment(7, 24, 8, more: false, version: version, source: 9999),
    ]
    for packet in good { #expect(engine.judge(packet.rawSpan, Self.incoming, to: &sink) == .consumed) }
    #expect(sink.frames.map { $0.packet.suffix(32) } == [ArraySlice(repeating: 7, count: 32)])
    // And after a minute (RFC 8200 §4.5) nothing of it is left.
    engine.now += 61 * second
    engine.expireFragments(to: &sink)
    #expect(engine.fragments.heldDatagrams == 0 && engine.fragments.heldBytes == 0)
    #expect(Int(engine.counters.droppedFragments) == count)
  }

  @Test func `a datagram longer than a socket takes is delivered in its fragments`() throws {
    var engine = try engine("100 divert 2000 udp from any to any in")
    var sink = sink()
    sink.longestPacket = 1000
    for (identification, last) in [(1, 972), (2, 973)] as [(UInt16, Int)] {
      let packets = [
        try fragment(identification, 0, 8, more: true), try fragment(identification, 8, last, more: false),
      ]
      for packet in packets { #expect(engine.judge(packet.rawSpan, Self.incoming, to: &sink) == .consumed) }
      #expect(sink.frames.map(\.packet.count) == (identification == 1 ? [1000] : [1000, 28, 993]))
      #expect(sink.frames.allSatisfy { $0.header.tag == 100 })
    }
    #expect(engine.counters.delivered == 3)
  }

  @Test(arguments: [4, 6] as [UInt8])
  func `duplicates, a hole, and more than there may be`(_ version: UInt8) throws {
    var engine = try engine("100 divert 2000 udp from any to any in")
    var sink = sink()
    func take(_ identification: UInt16, _ offset: Int, _ count: Int, more: Bool) throws {
      let packet = try fragment(identification, offset, count, more: more, version: version)
      #expect(engine.judge(packet.rawSpan, Self.incoming, to: &sink) == .consumed)
    }
    for _ in 0..<3 { try take(1, 0, 16, more: true) }
    try take(1, 16, 8, more: false)
    #expect(engine.fragments.counters.duplicate == 2 && sink.frames.count == 1)

    try take(2, 0, 16, more: true)
    try take(2, 24, 8, more: false)
    #expect(engine.fragments.heldDatagrams == 1)
    engine.now += (version == 4 ? 30 : 60) * second
    engine.expireFragments(to: &sink)
    #expect(engine.fragments.counters.timedOut == 1 && engine.counters.droppedFragments == 2)

    try take(3, 65_528, 16, more: false)
    #expect(engine.fragments.counters.oversize == 1)
    // Total Length counts the header, which of IPv6 Payload Length does not; longer than a socket takes is both.
    for offset in stride(from: 0, to: 49_152, by: 16_384) { try take(4, offset, 16_384, more: true) }
    try take(4, 49_152, 16_370, more: false)
    #expect(engine.fragments.counters.oversize == (version == 4 ? 2 : 1))
    #expect(sink.frames.count == (version == 4 ? 1 : 5))
    for number in 0...engine.fragments.limits.fragmentsPerDatagram { try take(5, number * 16, 8, more: true) }
    #expect(engine.fragments.counters.tooMany == 1)
    engine.now += 60 * second
    engine.expireFragments(to: &sink)
    #expect(sink.proceeded.isEmpty)
    #expect(engine.fragments.heldBytes == 0)
  }
}
