import Glibc
import Kernel
import Testing

struct SocketOwnersTests {
  @Test func `a socket's owners are found by its inode, while it is open`() throws {
    let inode = try {
      // Closed on exec: other tests start programs meanwhile, which would own it, too.
      let type = CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
      let first = Descriptor(owning: try retrying("open a socket") { socket(AF_UNIX, type, 0) })
      let copy = try first.duplicate()
      var status = stat()
      #expect(fstat(copy.number, &status) == 0)
      let inode = UInt32(status.st_ino)
      let owners = SocketOwners(of: [inode, 1])
      #expect(owners[inode].map(\.identifier) == [getpid()] && owners[1].isEmpty)
      let name = try readSmallFile("/proc/\(getpid())/comm").prefix { $0 != "\n" }
      #expect(owners[inode].first?.name == String(name))
      return inode
    }()
    #expect(SocketOwners(of: [inode])[inode].isEmpty)
    #expect(SocketOwners(of: [])[inode].isEmpty)
  }
}
