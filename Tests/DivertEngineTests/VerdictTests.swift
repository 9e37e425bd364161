import DivertEngine
import DivertWire
import Firewall
import Packets
import TestSupport
import Testing

/// The cases of the manual page, judged in user space.
struct VerdictTests {
  @Test(arguments: VerdictCase.all) func `the engine says what ipfw(8) says`(_ row: VerdictCase) throws {
    let ruleSet = try row.ruleSet()
    let place = VerdictPass(row.pass)
    let packet = PacketText(row.packet)
    var engine = DivertEngine(ruleSet: ruleSet, view: place.view)
    // Single fragments are judged here.
    engine.waitsForFragments = false
    var sink = RecordingSink(bound: [2000, 2001, 2002, 2003])
    let bytes = packet.bytes
    let start = place.tag == 0 ? 0 : ruleSet.index(after: place.tag)
    let outcome: VerdictOutcome
    switch engine.judge(bytes.rawSpan, place.pass, from: start, to: &sink) {
    case .proceed: outcome = .allowed
    case .denied: outcome = .gone
    case .consumed:
      let frame = try #require(sink.frames.last)
      outcome = .diverted(port: frame.port, tag: frame.header.tag)
    }
    let found = row.text(outcome, ruleSet, length: packet.length) { slot in
      (engine.ruleCounters[slot].packets, engine.ruleCounters[slot].bytes)
    }
    #expect(found == row.verdict)
  }
}
