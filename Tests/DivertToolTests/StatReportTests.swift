import DivertWire
import Kernel
import Testing

@testable import DivertTool

/// What `divert stat` prints of statistics that a host has told.
struct StatReportTests {
  private static let owners = SocketOwners([
    10: [.init(identifier: 77, name: "natd"), .init(identifier: 1234, name: "sh")],
    11: [.init(identifier: 80, name: "dump")],
  ])

  private var statistics: HostStatistics {
    var statistics = HostStatistics()
    var written = Counts<SocketCount>()
    written[.reinjectedIncoming] = 900
    written[.reinjectedOutgoing] = 20
    written[.badFrame] = 3
    written[.denied] = 1
    statistics.bound = [
      BoundPort(
        port: 2000, policy: .drop, options: [], link: 7, linkName: "divert2000", inode: 10, waiting: 786,
        receiveBuffer: 212_992, droppedFull: 4, diverted: 1000, teed: 0, written: written),
      BoundPort(
        port: 40_000, policy: .pass, options: .fragments, link: 8, linkName: "divert40000", inode: 12,
        waiting: 8 << 20, receiveBuffer: 16 << 20, droppedFull: 0, diverted: 0, teed: 5,
        written: Counts()),
    ]
    statistics.unbound = [UnboundPort(port: 2001, policy: .pass), UnboundPort(port: 9, policy: .drop)]
    statistics.written = written
    statistics.totals[.diverted] = 1100
    statistics.totals[.teed] = 5
    statistics.totals[.droppedFull] = 4
    return statistics
  }

  private func report(
    _ statistics: HostStatistics, port: UInt16? = nil, at time: ContinuousClock.Instant = .now
  ) -> StatReport {
    StatReport(statistics, port: port, owners: Self.owners, time: time)
  }

  @Test func `interfaces without rules come last, and only where all is told`() {
    var statistics = statistics
    statistics.unruled = [
      UnruledInterface(name: "late0", reason: "attach a hook to interface 9 egress: Too many open files"),
      UnruledInterface(name: "ib0", reason: "hooks do not know the link layer of hardware type 32"),
    ]
    #expect(
      report(statistics).text.hasSuffix(
        """
        interfaces without rules:
          late0: attach a hook to interface 9 egress: Too many open files
          ib0: hooks do not know the link layer of hardware type 32

        """))
    #expect(!report(statistics, port: 2000).text.contains("without rules"))
    #expect(!report(statistics).text.contains("--fail-closed"))
    statistics.staysInForce = true
    #expect(
      report(statistics).text.contains(
        "\nthe rules stay in force when divertd ends (--fail-closed)\ninterfaces"))
  }

  @Test func `ports in order, then the totals`() {
    #expect(
      report(statistics).text == """
         port  policy  diverted  teed   waiting  full   in  out  refused             options    program
            9  drop           -     -         -     -    -    -  -                   -          nobody
         2000  drop        1000     0  786/208K     4  900   20  EINVAL 3, EACCES 1  -          natd (77), sh (1234)
         2001  pass           -     -         -     -    -    -  -                   -          nobody
        40000  pass           0     5    8M/16M     0    0    0  -                   fragments  unknown

        since divertd was started:
          diverted 1100, copied by tee 5, to nobody 0, lost to a full buffer 4, written back too often 0
          written back in 900, out 20; refused EINVAL 3, EACCES 1
          judged by divertd 0, delivered by it 0, unreadable 0, frames of strangers 0
          fragments that waited 0, datagrams put together 0, timed out 0, evicted 0, given up 0

        """)
  }

  @Test func `one port, bound or not`() {
    #expect(
      report(statistics, port: 2001).text == """
        port  policy  diverted  teed  waiting  full  in  out  refused  options  program
        2001  pass           -     -        -     -   -    -  -        -        nobody

        """)
    #expect(report(statistics, port: 7).text.split(separator: "\n").last?.hasPrefix("   7  drop ") == true)
    #expect(report(statistics, port: 2000).text.split(separator: "\n").count == 2)
    #expect(report(HostStatistics()).text.hasPrefix("no divert port is bound, and no rule names one\n\n"))
  }

  @Test func `with an earlier report, what each second has added`() {
    let start = ContinuousClock.now
    let before = report(statistics, at: start)
    var later = statistics
    later.bound[0].diverted += 2001
    later.bound[0].written[.reinjectedIncoming] += 1000
    // Another socket has taken the port: its count begins anew.
    later.bound[1] = BoundPort(
      port: 40_000, policy: .pass, options: [], link: 9, linkName: "divert40000", inode: 11, waiting: 0,
      receiveBuffer: 1024, droppedFull: 0, diverted: 0, teed: 2, written: Counts())
    later.totals[.diverted] += 2001
    later.totals[.invalidFragments] = 1
    later.totals[.noPath] = 3
    later.totals[.unplaced] = 2
    #expect(
      report(later, at: start + .seconds(2)).following(before).text == """
         port  policy  diverted/s  teed/s   waiting  full/s  in/s  out/s  refused             options  program
            9  drop             -       -         -       -     -      -  -                   -        nobody
         2000  drop          1001       0  786/208K       0   500      0  EINVAL 3, EACCES 1  -        natd (77), sh (1234)
         2001  pass             -       -         -       -     -      -  -                   -        nobody
        40000  pass             0       1      0/1K       0     0      0  -                   -        dump (80)

        since divertd was started:
          diverted 3101 (1001/s), copied by tee 5, to nobody 0, lost to a full buffer 4, written back too often 0
          written back in 900, out 20; refused EINVAL 3, EACCES 1
          judged by divertd 0, delivered by it 0, unreadable 0, frames of strangers 0
          fragments that waited 0, datagrams put together 0, timed out 0, evicted 0, given up 0
          of the fragments: invalid 1 (1/s)
          without the path they were on: no room 3 (2/s), dropped by divertd 2 (1/s)

        """)
  }
}
