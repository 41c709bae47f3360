// What the page can do more with JavaScript. Everything works without it.
"use strict";
