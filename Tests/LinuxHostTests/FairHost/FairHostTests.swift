import Foundation
import Namespaces
import TestSupport
import Testing

/// "A packet that is written back unchanged goes on as if nothing had happened", on a host with everything at once.
@Suite(.serialized) struct FairHostTests {
  @Test func `a passing program changes nothing of what a router does`() throws {
    let host = try FairHost()
    // Neighbours are known and everything has been loaded once before packets are counted.
    for step in FairHost.packets + FairHost.connections { _ = try host.outcome(of: step) }
    let undiverted = try host.observe()
    for (step, outcome) in zip(FairHost.packets + FairHost.connections, undiverted.outcomes) {
      if let expected = step.expected { #expect(outcome == expected, "without divertd: \(step.name)") }
    }

    let daemon = try RunningDaemon(in: host.router)
    try daemon.ipfw("add 100 divert 2000 ip from any to any")
    let program = try host.router.start(
      [Programs.path("divert"), "pass", "2000"], environment: daemon.environment)
    #expect(try program.errorLine() == "divert: listening on divert port 2000")
    let diverted = try host.observe()
    program.signal(SIGTERM)
    #expect(program.result().status == 0)

    for (step, (before, after)) in zip(
      FairHost.packets + FairHost.connections, zip(undiverted.outcomes, diverted.outcomes))
    {
      #expect(after == before, "\(step.name)")
    }
    expectNone(diverted.seen.subtracting(undiverted.seen), "packets that are new")
    expectNone(undiverted.seen.subtracting(diverted.seen), "packets that are missing")
    for (name, count) in undiverted.counters { #expect(diverted.counters[name] == count, "\(name)") }
  }

  private func expectNone(_ lines: Set<String>, _ what: Comment) {
    #expect(lines.isEmpty, "\(what):\n\(lines.sorted().prefix(60).joined(separator: "\n"))")
  }
}

extension FairHost {
  struct Observation {
    var outcomes: [String] = []
    /// `NAMESPACE: LINE #N` for the Nth packet that looks like this line.
    var seen: Set<String> = []
    /// Of the router's IPv4, while there was no TCP.
    var counters: [String: Int] = [:]
  }

  func observe() throws -> Observation {
    var observation = Observation()
    let watched = [("client", client), ("tenant", tenant), ("server", server), ("container", container)]
    let watchers = try watched.map { name, namespace in
      (name, try namespace.start(["python3", "-c", FairHostPrograms.watcher]))
    }
    for (_, watcher) in watchers { #expect(try watcher.line() == "ready") }

    let before = try counters()
    for step in Self.packets { observation.outcomes.append(try outcome(of: step)) }
    observation.counters = try counters().merging(before) { after, before in after - before }
    for step in Self.connections { observation.outcomes.append(try outcome(of: step)) }

    for (name, watcher) in watchers {
      watcher.signal(SIGTERM)
      var numbers: [Substring: Int] = [:]
      for line in watcher.result().output.split(separator: "\n") {
        numbers[line, default: 0] += 1
        observation.seen.insert("\(name): \(line) #\(numbers[line] ?? 0)")
      }
    }
    return observation
  }

  /// What IPv4, ICMP and UDP of the router have counted, by name; headers and values stand on lines of their own
  /// (proc_net_snmp).
  private func counters() throws -> [String: Int] {
    var counters: [String: Int] = [:]
    for file in ["snmp", "netstat"] {
      let lines = try router.run("cat", "/proc/self/net/\(file)").output.split(separator: "\n")
      for (names, values) in zip(lines, lines.dropFirst()) {
        let group = String(names.prefix(while: { $0 != ":" }))
        // A second line of the same group has the values of the first one's names.
        guard values.hasPrefix("\(group):") else { continue }
        guard ["Ip", "Icmp", "Udp", "IpExt"].contains(group) else { continue }
        for (name, value) in zip(names.split(separator: " "), values.split(separator: " ")).dropFirst() {
          counters["\(group)\(name)"] = Int(value)
        }
      }
    }
    return counters
  }
}
