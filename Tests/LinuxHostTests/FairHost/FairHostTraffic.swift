import Namespaces

/// The traffic of a fair host, and what is seen of it: by the programs that make it, on the wires, in the router's own
/// counters.
extension FairHost {
  struct Step {
    let name: String
    let host: KeyPath<FairHost, Namespace>
    let words: [String]
    /// What an intact host answers: nil where only equality counts.
    var expected: String?
  }

  /// Everything whose number of packets does not depend on time.
  static var packets: [Step] {
    [
      ping("to the router", \.client, "192.0.2.1"), ping("to the router", \.client, "2001:db8:1::1"),
      ping("within the bridge", \.client, "2001:db8:1::3"),
      ping("to all on the link", \.client, "192.0.2.255", "-b"),
      ping("forwarded", \.client, "198.18.0.9"), ping("forwarded", \.client, "2001:db8:9::9"),
      ping("forwarded in fragments", \.client, "198.18.0.9", "-s", "4000"),
      ping("forwarded in fragments", \.client, "2001:db8:9::9", "-s", "4000"),
      ping("in fragments", \.server, "198.51.100.1", "-s", "4000"),
      ping("by a rule for the interface", \.client, "198.18.3.1"),
      ping("by a rule for the interface", \.client, "2001:db8:9::3"),
      ping("too old to be forwarded", \.client, "198.18.0.9", "-t", "1", received: 0),
      ping("from the router", \.router, "198.18.0.9"), ping("from the router", \.router, "2001:db8:9::9"),
      ping("of a marked socket", \.router, "198.18.0.9", "-m", "7"),
      ping("of a marked socket", \.router, "2001:db8:9::9", "-m", "7"),
      ping("of a socket bound to a device", \.router, "203.0.113.2", "-I", "wan1"),
      ping("of a socket bound to a device", \.router, "2001:db8:21::2", "-I", "wan1"),
      ping("through a kill switch, marked", \.router, "198.18.1.1", "-m", "9"),
      ping("through a kill switch, not marked", \.router, "198.18.1.1"),
      ping("to a group", \.router, "224.0.0.1", "-I", "wan0"),
      ping("with a type of service", \.client, "198.18.0.9", "-Q", "0x48"),
      ping("through a tunnel", \.router, "198.19.9.2"), ping("through a tunnel", \.server, "2001:db8:99::1"),
      ping("through a tunnel, in fragments", \.router, "198.19.9.2", "-s", "3000"),
      ping("from a container on a macvlan", \.container, "198.18.0.9"),
      ping("from a container on a macvlan", \.container, "2001:db8:21::2"),
      ping("to a container on a macvlan", \.server, "203.0.113.50"),
      ping("to an address local by route", \.server, "198.19.7.5"),
      ping("to an address local by route", \.client, "2001:db8:77::5"),
      ping("to an address local by route, from the host itself", \.router, "198.19.7.5"),
      ping("to an address local by route, from the host itself", \.router, "2001:db8:77::5"),
      ping("over loopback", \.router, "127.0.0.1"), ping("over loopback", \.router, "::1"),
      datagrams("of a user with routes of its own", \.router, "198.18.4.1", user: 1234, port: 4000, count: 2),
      datagrams(
        "of a user with routes of its own", \.router, "2001:db8:9::4", user: 1234, port: 4000, count: 2),
      datagrams("by a rule for the source port", \.router, "198.18.4.1", port: 5000, count: 2),
      datagrams("by a rule for the source port", \.router, "2001:db8:9::4", port: 5000, count: 2),
      datagrams("over two next hops", \.router, "198.18.2.1", port: 6000, count: 16),
      datagrams("over two next hops", \.router, "2001:db8:9::2", port: 6000, count: 16),
      datagrams("over two next hops, forwarded", \.client, "198.18.2.1", port: 6000, count: 16),
      datagrams("over two next hops, forwarded", \.client, "2001:db8:9::2", port: 6000, count: 16),
    ]
  }

  /// What happens as often as time would have it.
  static var connections: [Step] {
    [
      Step(
        name: "DHCP: an address", host: \.tenant,
        words: [
          "busybox", "udhcpc", "-f", "-q", "-n", "-t", "20", "-T", "1", "-A", "1", "-i", "eth0", "-s",
          "/bin/true",
        ]),
      fetch("through a transparent proxy", \.client, "198.18.0.9", 80, "proxied for 198.18.0.9:80"),
      fetch("forwarded", \.client, "198.18.0.9", 81, "250000"),
      fetch("forwarded", \.client, "2001:db8:9::9", 81, "250000"),
      fetch("from the router", \.router, "198.18.0.9", 81, "250000"),
      fetch("from the router", \.router, "2001:db8:9::9", 81, "250000"),
      fetch("through a tunnel", \.router, "198.19.9.2", 81, "250000"),
      fetch("through a tunnel", \.router, "2001:db8:99::2", 81, "250000"),
      fetch("from a container on a macvlan", \.container, "198.18.0.9", 81, "250000"),
    ]
  }

  private static func ping(
    _ what: String, _ host: KeyPath<FairHost, Namespace>, _ to: String, _ options: String...,
    received: Int = 2
  ) -> Step {
    Step(
      name: "ping \(what) \(to)", host: host,
      words: ["ping", "-n", "-q", "-c", "2", "-i", "0.05", "-W", "3"] + options + [to],
      expected: "\(received) received")
  }

  private static func datagrams(
    _ what: String, _ host: KeyPath<FairHost, Namespace>, _ to: String, user: Int = 0, port: Int, count: Int
  ) -> Step {
    Step(
      name: "datagrams \(what) \(to)", host: host,
      words: ["python3", "-c", FairHostPrograms.datagrams, to, "\(user)", "\(port)", "\(count)"],
      expected: "\(count) refused"
    )
  }

  private static func fetch(
    _ what: String, _ host: KeyPath<FairHost, Namespace>, _ from: String, _ port: Int, _ expected: String
  ) -> Step {
    Step(
      name: "fetch \(what) \(from)", host: host,
      words: ["python3", "-c", FairHostPrograms.fetch, from, "\(port)"], expected: expected)
  }

  func outcome(of step: Step) throws -> String {
    let result = try self[keyPath: step.host].run(step.words, expecting: nil)
    if step.words[0] == "ping" {
      return result.output.split(separator: ",").first { $0.hasSuffix(" received") }
        .map { String($0.dropFirst()) } ?? "\(result)"
    }
    return result.status == 0 ? result.output.filter { $0 != "\n" } : "\(result)"
  }
}
