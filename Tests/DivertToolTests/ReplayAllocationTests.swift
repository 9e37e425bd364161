import AllocationCounter
import Captures
import Firewall
import Glibc
import Kernel
import SimulatedHost
import TestSupport
import Testing

@testable import DivertTool

/// A replay asks for memory at its beginning, and not for each packet. (Diverting does in debug builds, whose sets of
/// flags are arrays first.)
struct ReplayAllocationTests {
  @Test(arguments: [SampleCapture.Format.pcap, .pcapng], [false, true])
  func `packets read, judged, told and written`(format: SampleCapture.Format, printsVerdicts: Bool) throws {
    let rules = try RuleFile.load(
      text: """
        add 100 count ip from any to any
        add 200 skipto 400 tcp from any to any
        add 300 deny udp from any to any 53
        add 400 allow tcp from any to any
        """, into: RuleSet(default: .deny), names: .builtIn)
    let replay = try Replay(rules, interfaces: [], .incoming(on: "em0"), echoing: [6000])
    let packets = (0..<1000).map { $0 % 2 == 0 ? ReplayTests.web : ReplayTests.query }
    var reader = try CaptureReader(bytes: SampleCapture.file(format, packets))
    var run = ReplayRun(
      replay, of: rules,
      lines: printsVerdicts ? VerdictLines(to: OutputBuffer(to: try Self.nowhere(), "write verdicts")) : nil,
      passed: PassedPackets(to: try Self.nowhere(), "/dev/null", rules))
    // each rule's first packet is told in the summary
    for _ in 0..<10 {
      #expect(try reader.advance())
      try run.take(reader.frame)
    }
    let before = allocation_count()
    while try reader.advance() { try run.take(reader.frame) }
    let count = allocation_count() - before
    #expect(run.tally.judged == 1000 && run.tally.accepted == 500)
    #expect(count == 0)
  }

  private static func nowhere() throws -> Descriptor {
    Descriptor(owning: try retrying("open /dev/null") { open("/dev/null", O_WRONLY | O_CLOEXEC) })
  }
}
