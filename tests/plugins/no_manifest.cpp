// A library without the symbol that makes it a plugin.
extern "C" int something_else() { return 1; }
