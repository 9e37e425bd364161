import Namespaces
import TestSupport
import Testing

@Suite(.serialized) struct LinuxScenarioTests {
  @Test(arguments: Scenario.all) func `on the kernel`(_ scenario: Scenario) throws {
    let host = try LinuxScenario()
    try host.b.entered { try scenario.play(host) }
  }
}
