import BPF
import Firewall
import Packets
import TestSupport
import Testing

@testable import RuleCompiler

/// The cases of the manual page, judged by the hooks in this kernel (BPF_PROG_TEST_RUN).
struct VerdictTests {
  @Test func `the hooks say what ipfw(8) says`() throws {
    // One pair of programs for all cases, as in divertd.
    let hooks = try HookPair(RuleSet(default: .allow), host: HostView(), ruleCapacity: 256)
    for row in VerdictCase.all {
      let ruleSet = try row.ruleSet()
      let place = VerdictPass(row.pass)
      let packet = PacketText(row.packet)
      try hooks.enforce(ruleSet, host: place.view, bound: HookPair.ports)
      for entry in ruleSet.entries { try hooks.maps.counters.clear(UInt32(entry.slot)) }
      let judged = try hooks.judge(
        packet.bytes, place.pass.direction, after: place.tag, receivedOn: place.pass.receiveInterface)
      let outcome: VerdictOutcome
      switch judged {
      case .allow: outcome = .allowed
      case .gone: outcome = .gone
      case .diverted(let port, let tag): outcome = .diverted(port: port, tag: tag)
      case .upcall(let at):
        Issue.record("sent up at \(at): \(row)")
        continue
      }
      let found = row.text(outcome, ruleSet, length: packet.length) { hooks.counter(slot: $0) }
      #expect(found == row.verdict, "\(row)")
    }
  }
}
