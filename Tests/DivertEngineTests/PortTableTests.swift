import DivertEngine
import Glibc
import Testing

struct PortTableTests {
  @Test func `a port has one listener at a time`() throws {
    var table = PortTable<Int>()
    #expect(try table.choose(2000) == 2000)
    table.bind(2000, 1)
    #expect(table[2000] == 1 && table[2001] == nil && table.ports == [2000])
    #expect(throws: PortRefusal(code: EADDRINUSE)) { try table.choose(2000) }
    table.unbind(2000)
    #expect(table.isEmpty)
    #expect(try table.choose(2000) == 2000)
  }

  @Test func `port 0 gives every free port once, then none`() throws {
    var table = PortTable<Int>()
    table.bind(50_000, 0)
    var seen: Set<UInt16> = [50_000]
    while seen.count < PortTable<Int>.picked.count {
      let port = try table.choose(0)
      #expect(PortTable<Int>.picked.contains(port) && seen.insert(port).inserted)
      table.bind(port, 0)
    }
    #expect(throws: PortRefusal(code: EADDRINUSE)) { try table.choose(0) }
    table.unbind(60_000)
    #expect(try table.choose(0) == 60_000)
  }
}
