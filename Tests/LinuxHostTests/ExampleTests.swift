import Foundation
import Namespaces
import TestSupport
import Testing

/// The README's first program: compiled as it stands there, and doing what it says there.
@Suite(.serialized) struct ExampleTests {
  @Test func `the README shows the example as it is compiled`() throws {
    let program = try readPage("Examples/Pings/Pings.swift")
    #expect(program.split(separator: "\n").count < 20)
    #expect(try readPage("README.md").contains("```swift\n\(program)```"))
  }

  @Test func `it lets small pings pass and drops large ones`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 icmp from any to any in")
    let program = try host.b.start(
      ["stdbuf", "-oL", Programs.path("Pings")], environment: host.daemon.environment)
    // Until it has its port, pings are dropped.
    var tries = 0
    while try host.ping("192.0.2.2", count: 1) == 0, tries < 20 { tries += 1 }
    #expect(try host.ping("192.0.2.2", count: 2) == 2)
    #expect(try program.line().hasPrefix("incoming 192.0.2.1 > 192.0.2.2: ICMP echo request"))
    #expect(
      try host.a.run(["ping", "-c", "2", "-s", "1200", "-W", "1", "192.0.2.2"], expecting: 1).output.contains(
        "100% packet loss"))
    program.signal(SIGKILL)
  }
}
